"""Worlds of one lane that asks a contact store: faults of the store, a rival lane, the view."""
