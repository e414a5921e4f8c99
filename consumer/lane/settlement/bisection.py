"""Bisection (adaptive group testing): find the bad recipients of a refused call in few calls.

A call is refused as a whole when one recipient is bad, and names nobody. So parts of it are called,
one after another: a refused part is halved; when one half is accepted, the bad one is in the other,
which needs no call as a whole. Who was in neither waits, and is called together: as many at a time
as are all good every other time, by what was found so far. Only who stands alone in a call that
is refused is bad: nobody is condemned by inference.

For one bad recipient among n it takes ⌈log₂ n⌉ + 2 calls or so; for b, about 1.2 times
log₂ (n over b), the least that any method needs (benchmarks/README.md). At most
1 + 2·b·(⌈log₂ n⌉ + 2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from consumer.lane.settlement.results import (
    NO_CALL,
    CallFacts,
)
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneCampaign

EVERY_OTHER = math.log(2)
"""Groups of this share of the average distance between bad ones are clean every other time."""

SYSTEMATIC = 2
"""Bad ones in a row with nobody accepted, after which it is not about recipients at all."""


@dataclass(slots=True, eq=False)
class Bisection:
    """One refused batch. It waits for permits like a window, one part at a time.

    `suspect` hold a bad one between them; of `unknown` nothing is known; `part` is under way.
    `facts` are those of the call that was refused. `unattributed`: the refusal names no cause, so
    that those who stand alone are put on trial.
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
    def max_wait(self) -> float:
        """As the campaign's."""
        return self.rules.max_wait

    @property
    def weight(self) -> float:
        """As the campaign's."""
        return self.rules.weight

    @property
    def ready(self) -> int:
        """How many customers the next call would take; 0 while one is under way."""
        return 0 if self.part else self._size()

    @property
    def oldest(self) -> float:
        """When the first of them arrived (only if not empty)."""
        return min(held.arrived for held in self)

    @property
    def growth(self) -> float:
        """By all, shared as `waited` says."""
        return (len(self.suspect) + len(self.unknown)) / self._expected

    def waited(self, now: float) -> float:
        """The waiting of all, shared among the calls that it still takes to end it.

        A small part must not wait behind all windows: everybody here waits for it. Nor may a search
        for many bad ones take every permit: as many more of them are expected as were found so far.
        """
        return sum(now - held.arrived for held in self) / self._expected

    @property
    def _expected(self) -> float:
        """Calls."""
        halvings = math.ceil(math.log2(len(self.suspect))) if self.suspect else 0
        waiting = len(self.suspect) + len(self.unknown)
        more = waiting * self.bad / (self.good + self.bad) if self.good else 0.0
        return halvings + 1 + bool(self.unknown) + more * (math.log2(self.size) / 2 + 3)

    @property
    def spent(self) -> bool:
        """No call is left for who still waits."""
        return self.calls >= self.rules.bisect_calls

    @property
    def is_systematic(self) -> bool:
        """Everybody who stood alone was refused, and nobody was accepted."""
        return self.bad >= SYSTEMATIC and not self.good

    def take(self) -> Sequence[PendingInvitation]:
        """The next part, which is under way from now on."""
        size, self._of_suspects = self._size(), bool(self.suspect)
        waiting = self.suspect if self._of_suspects else self.unknown
        self.part = waiting[:size]
        del waiting[:size]
        self.calls += 1
        return tuple(self.part)

    def accepted(self) -> None:
        """The part was: who is left of the suspects has the bad one."""
        self.good += len(self.part)
        self.part = []

    def refused(self) -> bool:
        """The part was. True if it was one customer: that one is bad."""
        alone = len(self.part) == 1
        self.bad += alone
        self.unknown = self.suspect + self.unknown
        self.suspect = [] if alone else self.part
        self.part = []
        return alone

    def gone(self) -> None:
        """The part ended otherwise, so nothing follows for the others."""
        self.unknown, self.suspect, self.part = self.suspect + self.unknown, [], []

    def again(self) -> None:
        """The part's call settled nothing, and was none of the search's."""
        self.calls -= 1
        if self._of_suspects:
            self.suspect = self.part + self.suspect
        else:
            self.unknown = self.part + self.unknown
        self.part = []

    def drop(self, unwanted: Callable[[PendingInvitation], bool]) -> list[PendingInvitation]:
        """Remove and return every waiting one for which `unwanted` holds."""
        dropped = [held for held in self if unwanted(held)]
        if dropped:
            self.suspect = [held for held in self.suspect if not unwanted(held)]
            self.unknown = [held for held in self.unknown if not unwanted(held)]
        return dropped

    def __iter__(self) -> Iterator[PendingInvitation]:
        """Who waits: the part under way is not among them."""
        return chain(self.suspect, self.unknown)

    def _size(self) -> int:
        size = (len(self.suspect) + 1) // 2 if self.suspect else self._group()
        return min(size, self.rules.max_batch)  # the config may allow less than before

    def _group(self) -> int:
        if not self.bad:
            return len(self.unknown)
        if not self.good:
            return min(1, len(self.unknown))  # about no recipient at all? That should show soon
        # One bad one early does not mean many: the fewer were found, the more counts the whole.
        seen = self.good + self.bad + self.size / self.bad**2
        return min(max(1, int(EVERY_OTHER * seen / self.bad)), len(self.unknown))
