"""Formats whose records name a schema of a registry: wire format, known schemas, Avro."""
