"""Lane stage: ownership, takeover, calls and reports of a lane."""
