"""What changes in a simulated company, and what its oracle knows of it."""
