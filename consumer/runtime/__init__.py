"""The loops that carry commands out, signals, shutdown."""
