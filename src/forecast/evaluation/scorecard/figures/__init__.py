"""The figures of the scorecard under their definitions: a module each gives `Definition` rows of what was known."""
