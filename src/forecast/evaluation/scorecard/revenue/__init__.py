"""Do we sell more? What revenue changed by, in parts that sum to the cent."""
