"""Metrics, status, logs, health and the admin server."""
