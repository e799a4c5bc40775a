"""For models of one's own: the open deals of past days to learn from, and whether a model sees the future."""
