"""Checks of the tables a company hands over."""
