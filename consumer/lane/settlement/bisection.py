"""Bisection (adaptive group testing): find the bad recipients of a refused call in few calls.

A call with one bad recipient is refused as a whole, without naming it. So parts of the batch are
called one after another. A refused part is halved; when one half is accepted, the bad recipient is
in the other, which needs no call as a whole. Invitations in neither half wait and are called
together later, in groups of a size that is clean every other time, by the bad share found so far.
Only a recipient that is refused alone is bad: none is rejected by inference.

One bad recipient among n takes about ⌈log₂ n⌉ + 2 calls; b of them about 1.2 times log₂ (n over b),
the least that any method needs (benchmarks/README.md). At most 1 + 2·b·(⌈log₂ n⌉ + 2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.results import NO_CALL, CallFacts
from consumer.lane.state.settings import LaneCampaign, RankedByCampaign

EVERY_OTHER = math.log(2)
"""Groups of this share of the average distance between bad recipients are clean every other
time."""

SYSTEMATIC = 2
"""Bad recipients without an accepted one after which the cause is not the recipients."""


@dataclass(slots=True, eq=False)
class Bisection(RankedByCampaign):
    """One refused batch. It waits for permits like a window, one part at a time.

    `suspect`: among these is a bad recipient. `unknown`: nothing is known of these. `part`: the
    part in flight. `facts`: those of the refused call. `unattributed`: the refusal names no cause,
    so a customer that is refused alone is put on trial.
    """

    rules: LaneCampaign
    suspect: list[PendingInvitation]
    unknown: list[PendingInvitation] = field(default_factory=list)
    part: list[PendingInvitation] = field(default_factory=list)
    _of_suspects: bool = False
    facts: CallFacts = NO_CALL
    not_before: float = 0.0
    size: int = 0
    calls: int = 0
    bad: int = 0
    good: int = 0
    unattributed: bool = False

    def __post_init__(self) -> None:
        self.size = len(self.suspect)

    @property
    def campaign(self) -> str:
        """The campaign's name."""
        return self.rules.name

    @property
    def max_batch(self) -> int:
        """Never reached: a part is no full window."""
        return self.size + 1

    @property
    def ready(self) -> int:
        """Number of customers that the next call would take; 0 while one is in flight."""
        return 0 if self.part else self._size()

    @property
    def oldest(self) -> float:
        """When the first waiting invitation arrived (only if not empty)."""
        return min(pending.arrived for pending in self)

    @property
    def growth(self) -> float:
        """Number of waiting customers, shared among the expected calls as in `waited`."""
        return (len(self.suspect) + len(self.unknown)) / self._expected

    def waited(self, now: float) -> float:
        """Return the waiting of all, shared among the calls that are expected to end it.

        A small part must not wait behind all windows, for the whole batch waits for it. Nor may a
        search for many bad recipients take every permit: as large a share of the rest is expected
        to be bad as so far.
        """
        return sum(now - pending.arrived for pending in self) / self._expected

    @property
    def _expected(self) -> float:
        """Expected number of calls until the end."""
        halvings = math.ceil(math.log2(len(self.suspect))) if self.suspect else 0
        waiting = len(self.suspect) + len(self.unknown)
        more = waiting * self.bad / (self.good + self.bad) if self.good else 0.0
        return halvings + 1 + bool(self.unknown) + more * (math.log2(self.size) / 2 + 3)

    @property
    def spent(self) -> bool:
        """Whether no calls remain for the waiting invitations."""
        return self.calls >= self.rules.bisect_calls

    @property
    def is_systematic(self) -> bool:
        """Whether every customer called alone was refused, and no customer was accepted."""
        return self.bad >= SYSTEMATIC and not self.good

    def take(self) -> Sequence[PendingInvitation]:
        """Return the next part, which is in flight from now on."""
        size, self._of_suspects = self._size(), bool(self.suspect)
        waiting = self.suspect if self._of_suspects else self.unknown
        self.part = waiting[:size]
        del waiting[:size]
        self.calls += 1
        return tuple(self.part)

    def record_accepted(self) -> None:
        """Record that the part was accepted: the bad recipient is among the remaining suspects."""
        self.good += len(self.part)
        self.part = []

    def record_refused(self) -> bool:
        """Record that the part was refused. Return True if it was one customer: that one is bad."""
        alone = len(self.part) == 1
        self.bad += alone
        self.unknown = self.suspect + self.unknown
        self.suspect = [] if alone else self.part
        self.part = []
        return alone

    def end_part(self) -> None:
        """Record that the part ended otherwise, so that nothing follows for the others."""
        self.unknown, self.suspect, self.part = self.suspect + self.unknown, [], []

    def put_back_part(self) -> None:
        """Put the part back: its call settled nothing, and does not count."""
        self.calls -= 1
        if self._of_suspects:
            self.suspect = self.part + self.suspect
        else:
            self.unknown = self.part + self.unknown
        self.part = []

    def drop(self, unwanted: Callable[[PendingInvitation], bool]) -> list[PendingInvitation]:
        """Remove and return every waiting invitation for which `unwanted` holds."""
        dropped = [pending for pending in self if unwanted(pending)]
        if dropped:
            self.suspect = [pending for pending in self.suspect if not unwanted(pending)]
            self.unknown = [pending for pending in self.unknown if not unwanted(pending)]
        return dropped

    def __iter__(self) -> Iterator[PendingInvitation]:
        """Iterate over the waiting invitations, without the part in flight."""
        return chain(self.suspect, self.unknown)

    def _size(self) -> int:
        size = (len(self.suspect) + 1) // 2 if self.suspect else self._group()
        return min(size, self.rules.max_batch)  # a reload may have lowered it

    def _group(self) -> int:
        if not self.bad:
            return len(self.unknown)
        if not self.good:
            return min(1, len(self.unknown))  # perhaps not about recipients: find out soon
        # One early bad recipient does not mean many: the fewer found, the more the size counts.
        seen = self.good + self.bad + self.size / self.bad**2
        return min(max(1, int(EVERY_OTHER * seen / self.bad)), len(self.unknown))
