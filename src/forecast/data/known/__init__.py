"""What was known on a day."""
