"""Answers that nobody foresaw, by the million: `python -m tests.fuzz --minutes 10`."""
