"""Wiring: builds router, lanes and accounts from a config."""
