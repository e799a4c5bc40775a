"""What will be booked."""
