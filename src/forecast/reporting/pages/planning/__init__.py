"""What joint planning did."""
