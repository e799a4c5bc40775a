"""How do we stand: the survey's figures beside ours, and whether we sell more, to more people, for more money."""
