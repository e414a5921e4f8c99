"""The records that travel: event, invitation, result, dead letter, checkpoint."""
