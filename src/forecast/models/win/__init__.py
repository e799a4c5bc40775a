"""Is this deal won, by when, and why."""
