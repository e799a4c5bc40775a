"""The forecast by node of a hierarchy: regions above segments, teams and owners below, families of products."""
