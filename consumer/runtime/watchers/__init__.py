"""Tasks that look at Kafka and the process while it runs."""
