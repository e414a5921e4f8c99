"""The router's thread: from input topics to invitations."""
