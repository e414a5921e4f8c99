"""Prometheus metrics: names, labels and how they are counted."""
