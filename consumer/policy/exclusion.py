"""Exclusion: addresses and events that are never sent a survey (staff, test customers).

All addresses count under which the event knows its customer, and not only the one that is written
to: a colleague is one by the e-mail address, also where the survey is a text message.
"""

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
    patterns = [_pattern(*map(re.escape, glob.strip().split("*"))) for glob in globs]
    return re.compile("|".join(patterns), re.IGNORECASE | re.DOTALL).fullmatch if patterns else None


def _pattern(first: str, *others: str) -> str:
    """Return the pattern of a glob's plain parts. The shortest text up to each part is never tried
    again as a longer one (`?>`), so that many `*` take no more time than one."""
    if not others:
        return first
    *inner, last = others
    return first + "".join(f"(?>.*?{part})" for part in inner) + f".*{last}"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """`addresses`: a test of normalised addresses. `event`: a pattern's test of events."""

    addresses: Matches | None = None
    event: Callable[[dict[str, Any]], bool] | None = None

    def __call__(self, candidate: Candidate, _now: float) -> Reason | None:
        """Refuse an event that is excluded, or whose customer has an excluded address."""
        if self.event is not None and self.event(candidate.body):
            return Reason.EXCLUDED
        excluded = self.addresses is not None and any(map(self.addresses, candidate.identities()))
        return Reason.EXCLUDED if excluded else None
