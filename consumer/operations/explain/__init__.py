"""`explain`: what becomes of one event, and why."""
