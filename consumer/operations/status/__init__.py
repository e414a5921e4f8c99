"""Status read from topics or from a running process."""
