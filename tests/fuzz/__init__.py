"""Unforeseen answers, by the million: `python -m tests.fuzz --minutes 10`."""
