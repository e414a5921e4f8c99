"""Settled offsets, what is read again, attempts and batches in doubt."""
