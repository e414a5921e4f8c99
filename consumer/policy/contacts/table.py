"""Every contact rule of a config, and what of a history they need."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from consumer.policy.contacts.contact_rule import ContactRule
from consumer.policy.contacts.duplicates import Duplicates
from consumer.policy.contacts.history import encode_record
from consumer.policy.contacts.pace import Pace
from consumer.policy.contacts.periods import DAY, LONGEST_DAYS
from consumer.policy.contacts.request import Request


@dataclass(frozen=True)
class ContactRules:
    """`rules` in the order of the config; `paces` and `duplicates` by the policy's name.

    `keep`: seconds that contacts and answers are kept.
    """

    rules: Sequence[ContactRule] = ()
    paces: Mapping[str, Pace] = field(default_factory=dict)
    duplicates: Mapping[str, Duplicates] = field(default_factory=dict)
    keep: float = math.inf

    @cached_property
    def shared_keys(self) -> tuple[tuple[str, ...], ...]:
        """Each `per` that has no person: its counts are kept under subjects of their own."""
        return tuple(sorted({rule.per for rule in self.rules if not rule.counts_persons}))

    def pace_of(self, request: Request) -> Pace | None:
        """Return the pace that a request names, if the config still has it."""
        return None if request.pace is None else self.paces.get(request.pace)

    def duplicates_of(self, request: Request) -> Duplicates | None:
        """Return the `deduplicate` that a request names, if the config still has it."""
        return None if request.duplicates is None else self.duplicates.get(request.duplicates)

    def kept_seconds(self, subject: str) -> float:
        """Return for how long a subject's contacts and answers are kept: those of a person for
        `keep`, those of another key as long as the longest window that counts them."""
        return min(self.keep, self._windows.get(subject.partition("|")[0], math.inf))

    @cached_property
    def _windows(self) -> dict[str, float]:
        """The longest window of each kind of composed subjects."""
        shared = [rule.longest_window for rule in self.rules if not rule.counts_persons]
        paces = [LONGEST_DAYS[pace.every] * DAY for pace in self.paces.values()]
        repeated = [duplicates.within for duplicates in self.duplicates.values()]
        kinds = {"per": shared, "pace": paces, "repeat": repeated}
        return {kind: max(windows, default=0.0) for kind, windows in kinds.items()}

    @cached_property
    def fingerprint(self) -> str:
        """Identifies what a store must have kept for these rules to be right.

        Another one needs the results and contacts from their beginning again: a count that nothing
        has kept so far would let everything pass.
        """
        paces = sorted((pace.name, pace.per) for pace in self.paces.values())
        repeated = sorted({duplicates.by for duplicates in self.duplicates.values()})
        kept = [str(self.keep), self._windows]
        needed = encode_record([self.shared_keys, paces, repeated, kept])
        return hashlib.blake2b(needed, digest_size=8).hexdigest()
