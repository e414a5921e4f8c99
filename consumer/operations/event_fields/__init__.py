"""Compares the fields that a config names with those that recorded events have."""
