"""From a record's bytes to an event."""
