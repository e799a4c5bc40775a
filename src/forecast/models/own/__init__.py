"""Models of one's own: a function of a snapshot, called by its name, whose frame becomes a forecast table."""
