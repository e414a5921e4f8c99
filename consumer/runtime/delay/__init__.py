"""The delay stage's thread: from delay topics back to the lanes."""
