"""Chance: holdout, sample and splits, decided by a hash so that a replay decides alike.

    bucket = HMAC-SHA-256(salt, key) as a fraction of 1
    in     ⇔ bucket < rate

Raising a rate keeps every key that was in, because its bucket stays. Equal salts choose equal
parts: a holdout of one salt is the same group for every route. Splits cut [0, 1) by weights.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from consumer.policy.candidate import Candidate, ChanceKey
from consumer.records.result import Reason

_WHOLE: Final = 2**53
"""Buckets are multiples of 1 / 2^53, so that they are exact floats below 1."""


def bucket_of(salt: str, key: str) -> float:
    """Return the fraction in [0, 1) of a key, evenly spread over keys."""
    digest = hmac.digest(salt.encode(), key.encode("utf-8", "surrogatepass"), "sha256")
    return int.from_bytes(digest[:8]) // 2**11 / _WHOLE


@dataclass(frozen=True, slots=True)
class _Chance:
    rate: float
    salt: str
    by: ChanceKey = "person"

    def bucket(self, candidate: Candidate) -> float:
        """Return the candidate's bucket, and keep it for the result."""
        bucket = bucket_of(self.salt, candidate.chance_key(self.by))
        candidate.found["bucket"] = round(bucket, 6)
        return bucket


class Holdout(_Chance):
    """A control group that is never asked."""

    __slots__ = ()

    def __call__(self, candidate: Candidate, _now: float) -> Reason | None:
        """Refuse a candidate of the control group."""
        return Reason.HOLDOUT if self.bucket(candidate) < self.rate else None


class Sample(_Chance):
    """A part of the customers that is invited."""

    __slots__ = ()

    def __call__(self, candidate: Candidate, _now: float) -> Reason | None:
        """Refuse a candidate that is not in the sample."""
        return None if self.bucket(candidate) < self.rate else Reason.NOT_SAMPLED


@dataclass(frozen=True, slots=True)
class Split:
    """Chooses one of several branches by weight. `bounds`: where each branch ends in [0, 1)."""

    bounds: Sequence[float]
    salt: str
    by: ChanceKey = "person"

    @classmethod
    def by_weights(cls, weights: Sequence[float], salt: str, by: ChanceKey) -> Split:
        """Cut [0, 1) by weights."""
        total, end, bounds = sum(weights), 0.0, list[float]()
        for weight in weights:
            end += weight
            bounds.append(end / total)
        return cls(bounds, salt, by)

    def choose(self, candidate: Candidate) -> int:
        """Return the index of the candidate's branch."""
        bucket = bucket_of(self.salt, candidate.chance_key(self.by))
        inside = (index for index, bound in enumerate(self.bounds) if bucket < bound)
        return next(inside, len(self.bounds) - 1)
