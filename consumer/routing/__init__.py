"""Pure: from an input record to invitations, results and dead letters."""
