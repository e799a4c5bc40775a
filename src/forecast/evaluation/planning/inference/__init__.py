"""What the data say of an effect of joint planning: numbers on arrays of errors, without tables and sentences."""
