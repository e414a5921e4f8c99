"""How our records look on Kafka: values, keys and headers."""
