"""Pure routing: turns an input record into invitations, results and dead letters."""
