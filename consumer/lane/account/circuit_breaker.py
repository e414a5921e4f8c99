"""Circuit breaker of a vendor account; `campaign_breaker` is that of one of its campaigns.

Trouble (no clear answer, or an answered failure) opens a breaker after `TRIPS` calls in a row. A
refusal (credentials, or a gateway's answer) invited no customer and does not name its cause. So the
first one only makes the account *suspected*: other campaigns go on, the refused campaign tries one
other customer at once, and the next answer decides.

A retry after trouble waits by exponential backoff with full jitter (`full_jitter`), a probe of an
open breaker by exponential backoff between two bounds (`pause_of`, `PACES`).

    account   WELL ──3 troubles in a row, of closed campaigns──────────► ILL ─────┐
              WELL ──refusal──► suspected ──refusal of a later call────► REFUSED ─┤
               ▲                    │ accepted call                               │
               ├────────────────────┘                                             │
               └───────────────── accepted probe, or new secret ──────────────────┘

    campaign  CLOSED ──3 troubles in a row, or a refusal──► OPEN (one customer at a time)
               ▲                                              │
               └────────────── accepted call ─────────────────┘

Invariants:

- While a campaign's breaker is open, its failures do not count for the account: one failing
  campaign never opens the account's breaker twice.
- While an account's breaker is open, its failures do not count for the campaigns.
- Probes rotate over campaigns. A campaign that was not tried since the breaker opened is tried
  after the short pause (at once, if a single campaign opened it). The pause grows only when
  campaigns are tried again. So a healthy campaign waits seconds for failing ones before it.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from enum import StrEnum

FIRST = 1.0
LONGEST = 300.0


def full_jitter(failures: int, rng: random.Random) -> float:
    """Return the seconds to wait after the `failures`-th failure in a row (1, 2, …)."""
    return rng.uniform(0.0, min(LONGEST, FIRST * 2.0 ** min(failures, 30)))


TRIPS = 3
"""Calls with trouble in a row after which a breaker opens."""

QUICK = 10
"""Probes of campaigns not tried before, for each opening, that leave after the short pause: with
10,000 campaigns an outage must still be probed less and less often."""

PACES = {"ill": (4.0, 60.0), "refused": (60.0, 600.0)}
"""State → seconds of the first and the longest pause before a probe. People repair a refusal: the
secret's file is read again as soon as it changes, and then no probe is awaited."""


class State(StrEnum):
    """State of an account, by its last calls."""

    WELL = "well"
    ILL = "ill"
    REFUSED = "refused"


@dataclass(slots=True)
class CircuitBreaker:
    """An account's breaker.

    `since`: answers to calls sealed before it say nothing about the present state. `renewed_at`:
    answers to calls sealed before it say nothing about the present credentials. `accused`:
    campaigns whose calls failed since one was accepted. `tested`: campaigns that were tried since
    the breaker opened. `suspected_at`: time of a refusal that no later call has confirmed or
    refuted. `accepted_at`: when the newest accepted call was sealed.
    """

    state: State = State.WELL
    since: float = 0.0
    probe_at: float = 0.0
    probing: bool = False
    in_a_row: int = 0
    failures: int = 0
    renewed_at: float = 0.0
    recovered_at: float = 0.0
    accepted_at: float = -math.inf
    suspected_at: float | None = None
    quick_at: float = 0.0
    quick: int = 0
    accused: set[str] = field(default_factory=set)
    tested: set[str] = field(default_factory=set)
    _suspect_sealed: float = 0.0

    @property
    def closed(self) -> bool:
        """Whether whole batches may leave."""
        return self.state is State.WELL

    @property
    def next_probe(self) -> float:
        """When the next probe may leave at the latest; infinite while one is in flight. One of a
        campaign that was not tried may leave earlier."""
        return math.inf if self.closed or self.probing else self.probe_at

    def probe_time(self, campaign: str = "") -> float:
        """Return when a probe of this campaign may leave; infinite while one is in flight."""
        if self.closed or self.probing:
            return math.inf
        quick = self.quick > 0 and campaign not in self.tested
        return min(self.quick_at, self.probe_at) if quick else self.probe_at

    def record_success(self, sealed_at: float, *, accepted: bool = True) -> bool:
        """Record a call that the vendor processed. Return True if the account recovered by it."""
        if accepted:
            self.accepted_at = max(self.accepted_at, sealed_at)
        if not self._new(sealed_at):
            return False
        if self.suspected_at is not None and sealed_at <= self._suspect_sealed:
            return False
        recovered = not self.closed
        self.forget()
        if recovered:
            self.recovered_at = sealed_at
        return recovered

    def record_failure(
        self, sealed_at: float, at: float, rng: random.Random, campaign: str = ""
    ) -> None:
        """Record a call that failed, was not answered, or did not get through. A call sealed before
        the one that closed the breaker says nothing."""
        if sealed_at < self.recovered_at:
            return
        self.in_a_row += 1
        self.accused.add(campaign)
        if self.closed and self.in_a_row < TRIPS:
            return
        self._open(State.ILL if self.closed else self.state, sealed_at, at, rng, campaign)

    def record_refusal(
        self,
        sealed_at: float,
        at: float,
        rng: random.Random,
        campaign: str = "",
        *,
        repeated: bool = False,
    ) -> None:
        """Record a refused call: suspect the account at the first, open the breaker at the second
        in a row.

        `repeated`: the customer was refused alone before, so that only the customer is tested
        again, and its campaign counts as not tried.
        """
        if sealed_at < self.renewed_at:
            return
        if self.closed and self.suspected_at is None:
            self.suspected_at, self._suspect_sealed = at, sealed_at
            self.accused.add(campaign)
        elif not self.closed or sealed_at >= (self.suspected_at or 0.0):
            if repeated:
                self.accused.clear()
            else:
                self.accused.add(campaign)
            self._open(State.REFUSED, sealed_at, at, rng, None if repeated else campaign)

    def credentials_renewed(self, now: float) -> None:
        """Close the breaker: the account, or its credentials, changed."""
        self.forget()
        self.renewed_at, self.probing = now, False

    def retry(self, now: float) -> None:
        """Probe now, and start with the short pauses: the cause may be repaired."""
        if not self.closed:
            self.probe_at, self.failures = min(self.probe_at, now), 0

    def forget(self) -> None:
        """Close the breaker."""
        self.state = State.WELL
        self.in_a_row = self.failures = 0
        self.probe_at = 0.0
        self.suspected_at = None
        self.accused.clear()
        self.tested.clear()

    def _new(self, sealed_at: float) -> bool:
        return self.closed or sealed_at > self.since

    def _open(
        self, state: State, sealed_at: float, at: float, rng: random.Random, campaign: str | None
    ) -> None:
        """Open the breaker, or extend its pause. Of calls in flight together, one counts."""
        if not self._new(sealed_at):
            return
        opens, worse = self.closed, state is not self.state
        self.state, self.since = state, at
        if opens or worse:
            self._begin(at, rng)
        elif campaign is not None and campaign not in self.tested:
            self.tested.add(campaign)
            self.quick -= 1
            self.quick_at = at + pause_of("ill", 0, rng)
            if self.quick > 0:
                return
        self.probe_at = at + pause_of(state, self.failures, rng)
        self.failures += 1

    def _begin(self, at: float, rng: random.Random) -> None:
        self.failures, self.quick = 0, QUICK
        self.tested = set(self.accused)
        one = len(self.tested) <= 1
        # Just later: calls sealed at the same moment were in flight when the breaker opened.
        self.quick_at = math.nextafter(at, math.inf) if one else at + pause_of("ill", 0, rng)


def pause_of(state: str, failures: int, rng: random.Random) -> float:
    """Return the seconds until the next probe, after `failures` failed ones."""
    first, longest = PACES[state]
    pause = min(longest, first * 2.0 ** min(failures, 10))
    return rng.uniform(pause / 2, pause)
