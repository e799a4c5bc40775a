"""From the lead to the next order: what share passes each hand-over, how long it waits, and where it is lost."""
