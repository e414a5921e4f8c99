"""A Kafka in one thread on a virtual clock, for the deterministic simulation."""
