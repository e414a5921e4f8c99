"""Input formats: what reading one costs beside JSON, and whether all give the same invitations."""
