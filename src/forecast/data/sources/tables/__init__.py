"""One file as people have it -> a raw table: what stands in its cells, and how that was read."""
