"""Runtime: the stages' threads and loops, signals, shutdown."""
