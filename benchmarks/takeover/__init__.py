"""Seconds without a call after the owner of a lane was killed."""
