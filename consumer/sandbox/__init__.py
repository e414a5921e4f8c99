"""The vendors' double for demo and tests: strict, separate, no code shared with the dispatcher."""
