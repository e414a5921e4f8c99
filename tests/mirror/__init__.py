"""A rehearsal of docs/disaster.md: a cluster is lost under load, and its mirror takes over."""
