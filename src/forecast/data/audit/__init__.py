"""Every problem of the data, ranked."""
