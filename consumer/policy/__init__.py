"""Policy, a part of the pure core: rules before a survey is sent. Begin with `rules.py`."""
