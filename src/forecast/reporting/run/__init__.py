"""Notebooks run, exported and published."""
