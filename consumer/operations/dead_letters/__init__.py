"""List dead letters and replay them."""
