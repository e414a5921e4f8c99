"""Windows and the bounded buffer of pending invitations."""
