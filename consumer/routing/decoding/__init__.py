"""Decoding of a record's bytes to an event."""
