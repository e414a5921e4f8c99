"""The status document, its notes and its page."""
