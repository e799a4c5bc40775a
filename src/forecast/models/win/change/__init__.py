"""Levels that move: the months they are read off, and how far they have."""
