"""Dispatch: which window is called next, and with which invitations."""
