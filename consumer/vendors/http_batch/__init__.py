"""Vendors that take a batch by HTTP, described in the config."""
