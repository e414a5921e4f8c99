"""Which window is called next, and with which invitations."""
