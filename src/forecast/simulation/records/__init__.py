"""What a simulated company's tables show of what happens in it."""
