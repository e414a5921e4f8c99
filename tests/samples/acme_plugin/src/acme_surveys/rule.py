"""A rule: customers of stores that are about to close are not asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from consumer import api


def closed_stores(options: Mapping[str, Any]) -> api.Predicate:
    """Make the rule of `{store: JMESPath, closed: [names]}`. Raises ValueError for any other."""
    if set(options) != {"store", "closed"} or not isinstance(options["closed"], list):
        raise ValueError("expected `store`, a JMESPath, and `closed`, a list of stores")
    store, closed = api.compile_value(options["store"]), frozenset(options["closed"])

    def holds_back(candidate: api.Candidate) -> bool:
        return store(candidate.body) in closed

    return holds_back
