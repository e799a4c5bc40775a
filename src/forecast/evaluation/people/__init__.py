"""People: how many of them reach what they should, and what it was worth that they changed a number."""
