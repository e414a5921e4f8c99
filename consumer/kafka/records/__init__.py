"""The program's own records on Kafka: values, keys and headers."""
