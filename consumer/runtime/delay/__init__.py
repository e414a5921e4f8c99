"""Delay stage: returns invitations from the delay topics to their lanes."""
