"""Measurements of the claims in benchmarks/README.md, a folder a subject."""
