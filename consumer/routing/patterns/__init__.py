"""Match patterns: reading and evaluating them."""
