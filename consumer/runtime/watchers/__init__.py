"""Watchers: tasks that poll Kafka while the process runs."""
