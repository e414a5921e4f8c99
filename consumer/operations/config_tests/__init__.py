"""Tests of a routing config: events with the decision that is expected of each."""
