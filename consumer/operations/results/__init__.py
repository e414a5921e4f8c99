"""`results`: what became of invitations, followed, searched, counted and exported."""
