"""Search budget: how many permits the search among failing campaigns may take from healthy ones.

Probes of an open campaign, trials, and parts of a batch whose refusal names no cause serve that
campaign alone. Five failing campaigns of twenty took 54 of the first 76 permits, and the others
waited 1.4 times as long as alone. So each call of a healthy campaign earns `SHARE` of a search, up
to `AT_ONCE`, and a search costs one. With S = 1/7 a healthy campaign waits at most 1 + S = 1.14
times as long as alone, in the long run.

The budget binds only while a healthy campaign is due, or waits for a scarce quota. Otherwise a
search delays no other campaign.
"""

from __future__ import annotations

SHARE = 1 / 7
AT_ONCE = 3.0
"""Searches that may be saved up: the first answers tell most."""

SCARCE = 0.5
"""Share of the quota left below which the quota is scarce: each permit is missed."""


class SearchBudget:
    """Balance of earned searches."""

    def __init__(self) -> None:
        self._earned = AT_ONCE

    @property
    def allows_search(self) -> bool:
        """Whether a search may go before a healthy campaign that waits."""
        return self._earned > 1 - 1e-9  # seven sevenths, as a float adds them

    def record_call(self, *, search: bool) -> None:
        """Record that a call was sealed."""
        change = -1.0 if search else SHARE
        self._earned = min(AT_ONCE, max(0.0, self._earned + change))
