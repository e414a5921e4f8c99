"""The parent of two processes."""
