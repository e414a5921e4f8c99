"""Waits under a quota, simulated and live; CPU of choosing a window."""
