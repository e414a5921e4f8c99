"""Structured logs: format, libraries' loggers, repeated lines."""
