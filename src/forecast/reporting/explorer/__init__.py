"""The explorer of 00_explore, and scenarios."""
