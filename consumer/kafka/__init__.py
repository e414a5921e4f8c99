"""Kafka clients, transactions, topics and start offsets."""
