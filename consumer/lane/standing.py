"""How a lane stands with a vendor account: well, ill (trouble in a row) or refused (credentials).

A circuit breaker with two reasons to open. While it is open, one customer is tried now and then
(the half-open probe): an outage then costs few permits and puts one customer in doubt, not a
batch, and an expired token rejects nobody.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

TRIPS = 3
"""Calls with trouble in a row after which the vendor counts as ill."""

PACES = {"ill": (4.0, 60.0), "refused": (60.0, 600.0)}
"""State → seconds of the first and the longest pause before a probe. A refusal mends by people: the
secret's file is read again as soon as it changes, and then nothing waits for a probe."""


class State(StrEnum):
    """How the last calls ended."""

    WELL = "well"
    ILL = "ill"
    REFUSED = "refused"


@dataclass(slots=True)
class Standing:
    """One account. `since`: answers to calls sealed before say nothing about the present state.
    `renewed_at`: nor, about the present credentials, to calls sealed before they changed."""

    state: State = State.WELL
    since: float = 0.0
    probe_at: float = 0.0
    probing: bool = False
    in_a_row: int = 0
    failures: int = 0
    renewed_at: float = 0.0
    recovered_at: float = 0.0

    @property
    def well(self) -> bool:
        """Whole batches may leave."""
        return self.state is State.WELL

    def may_probe(self, now: float) -> bool:
        """One customer may be tried."""
        return not self.well and not self.probing and now >= self.probe_at

    def good(self, sealed_at: float) -> bool:
        """The vendor dealt with a call. True if it has recovered by that."""
        if not self._new(sealed_at):
            return False
        recovered = not self.well
        self.forget()
        if recovered:
            self.recovered_at = sealed_at
        return recovered

    def trouble(self, sealed_at: float, at: float, rng: random.Random) -> None:
        """A call failed, was not answered, or did not get through; one that was out before the
        vendor recovered tells what is over."""
        if sealed_at < self.recovered_at:
            return
        self.in_a_row += 1
        if self.well and self.in_a_row < TRIPS:
            return
        self._open(State.ILL if self.well else self.state, sealed_at, at, rng)

    def refused(self, sealed_at: float, at: float, rng: random.Random) -> None:
        """The account's credentials were refused."""
        if sealed_at >= self.renewed_at:
            self._open(State.REFUSED, sealed_at, at, rng)

    def no_verdict(self, sealed_at: float) -> None:
        """A call ended and says nothing about the account (a 429): the probe is due again."""
        if self._new(sealed_at):
            self.probing = False

    def renewed(self, now: float) -> None:
        """The account is another one, or has other credentials."""
        self.forget()
        self.renewed_at = now

    def forget(self) -> None:
        """All is well."""
        self.state, self.probing = State.WELL, False
        self.in_a_row = self.failures = 0
        self.probe_at = 0.0

    def _new(self, sealed_at: float) -> bool:
        return self.well or sealed_at > self.since

    def _open(self, state: State, sealed_at: float, at: float, rng: random.Random) -> None:
        """Of calls that were out together, the first to fail says what the others repeat."""
        if not self._new(sealed_at):
            return
        if state is not self.state:
            self.failures = 0
        self.state, self.since, self.probing = state, at, False
        self.probe_at = at + pause_of(state, self.failures, rng)
        self.failures += 1


def pause_of(state: str, failures: int, rng: random.Random) -> float:
    """Seconds until the next try, after so many that failed before."""
    first, longest = PACES[state]
    pause = min(longest, first * 2.0 ** min(failures, 10))
    return rng.uniform(pause / 2, pause)
