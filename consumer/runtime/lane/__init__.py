"""A lane's thread: ownership, takeover, calls, reports."""
