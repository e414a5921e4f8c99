"""Exclusion: addresses and events that are never sent a survey (staff, test customers)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from consumer.policy.candidate import Candidate
from consumer.records.result import Reason

Matches = Callable[[str], object]


def compile_globs(globs: Iterable[str]) -> Matches | None:
    """Return a test for texts that one of the globs describes (`*`: any text); None without
    globs. Case does not count."""
    patterns = [".*".join(map(re.escape, glob.strip().split("*"))) for glob in globs]
    return re.compile("|".join(patterns), re.IGNORECASE).fullmatch if patterns else None


@dataclass(frozen=True, slots=True)
class Exclusion:
    """`emails`, `phones`: tests of normalised addresses. `event`: a pattern's test of events."""

    emails: Matches | None = None
    phones: Matches | None = None
    event: Callable[[dict[str, Any]], bool] | None = None

    def __call__(self, candidate: Candidate, _now: float) -> Reason | None:
        """Refuse an event that is excluded, or whose recipient has an excluded address."""
        if self.event is not None and self.event(candidate.body):
            return Reason.EXCLUDED
        email = candidate.address("email") if self.emails else None
        if email is not None and self.emails is not None and self.emails(email):
            return Reason.EXCLUDED
        phone = candidate.address("phone") if self.phones else None
        if phone is not None and self.phones is not None and self.phones(phone):
            return Reason.EXCLUDED
        return None
