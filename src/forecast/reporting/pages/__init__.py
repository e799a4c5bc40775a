"""The sentences and charts of the pages, by subject."""
