"""How do we stand: the survey's figures beside ours, what we sell to whom, at what cost, and where it is lost."""
