"""A page for every segment of a month, beside the company's."""
