"""Offsets: settled ones, what is read again, attempts, batches in doubt."""
