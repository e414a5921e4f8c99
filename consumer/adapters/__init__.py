"""Kafka, HTTP, metrics and the admin server: the only places that talk to the outside."""
