"""What stands in an export: its rows, dates, numbers and identifiers as meant; what stages mean; states of changes."""
