"""Own rules: what a plugin of a company says before a survey, at routing.

A plugin of the group `rules` is called with its options of the config, and returns a predicate of
the candidate: true holds the survey back, with reason `own_rule` and the plugin's name as `rule`.
The predicate must be pure (no I/O, no clock, no chance): a record that is read again must be
decided alike. What it raises makes a dead letter `internal`, as a defect of the program does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from consumer.policy.candidate import Candidate
from consumer.records.result import Reason

Predicate = Callable[[Candidate], bool]
RuleFactory = Callable[[Mapping[str, Any]], Predicate]
"""Makes a predicate of its options. Raises ValueError that says what is wrong with them."""


@dataclass(frozen=True, slots=True)
class OwnRule:
    """`name`: the plugin's. `holds_back`: its predicate."""

    name: str
    holds_back: Predicate

    def __call__(self, candidate: Candidate, _now: float) -> Reason | None:
        """Refuse what the plugin holds back."""
        if not self.holds_back(candidate):
            return None
        candidate.found["rule"] = self.name
        return Reason.OWN_RULE
