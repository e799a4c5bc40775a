"""Did planning together help."""
