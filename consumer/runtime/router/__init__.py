"""Router stage: from input topics to invitations."""
