"""Reservations: invitations that the contact store must grant before they wait for a call.

    read ─► waiting ─ ReserveContacts ─► asked ─► granted: into its window
                ▲                          ├────► refused: ends, or is delayed
                └──── store unavailable ◄──┘

The store is asked off the lane's thread, about one group at a time, oldest first. While it does not
answer nothing is granted, so nothing is sent unchecked; reading stops at a bound (`full`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import islice

from consumer.lane.buffer.buffer import InvitationBuffer
from consumer.lane.settlement.hold_back import HoldBack
from consumer.lane.state.commands import ReserveContacts
from consumer.lane.state.pending import PendingInvitation
from consumer.policy.contacts.request import Decision, Verdict
from consumer.policy.route_timing import HeldBack
from consumer.records.fields import LAST_MOMENT, rfc3339

ASKED_AT_ONCE = 5_000
"""Invitations of one question, at most: a full poll, or a full call."""

RETRY_AFTER = 1.0
"""Seconds until the store is asked again after it did not answer."""


@dataclass(slots=True)
class Reservations:
    """Invitations by offset that wait for the contact store, in the order in which they came."""

    _buffer: InvitationBuffer
    _hold_back: HoldBack
    _waiting: dict[int, PendingInvitation] = field(default_factory=dict)
    _asked: dict[int, PendingInvitation] = field(default_factory=dict)
    retry_at: float = 0.0
    """No question before this time."""

    @property
    def needed(self) -> bool:
        """Whether invitations need a reservation."""
        return self._buffer.settings.contacts

    @property
    def count(self) -> int:
        """How many invitations wait for the store."""
        return len(self._waiting) + len(self._asked)

    @property
    def full(self) -> bool:
        """Whether reading on would hold too many invitations that the store has not granted."""
        return self.count >= max(1, self._buffer.settings.max_buffered // 2)

    def add(self, pending: PendingInvitation) -> bool:
        """Add an invitation that was read. Return False if there is no room for it."""
        if self.full or not self._buffer.hold(pending):
            return False
        self._waiting[pending.offset] = pending
        return True

    def add_again(self, pending: PendingInvitation) -> None:
        """Add an invitation of the buffer whose reservation the store has lost."""
        self._waiting[pending.offset] = pending

    def remove(self, offset: int) -> None:
        """Remove an invitation, if it is here: its record became a dead letter."""
        pending = self._waiting.pop(offset, None) or self._asked.pop(offset, None)
        if pending is not None:
            self._buffer.forget(pending)

    def release(self) -> None:
        """Have all invitations wait for a call: the config has no contact rules any more."""
        for pending in self._waiting.values():
            self._buffer.admit(pending)
        self._waiting.clear()

    def sweep(self, now: float, most: int) -> None:
        """End or delay waiting invitations that may not be called now, at most so many."""
        found = (
            (pending, self._hold_back.at_intake(pending, now)) for pending in self._waiting.values()
        )
        held_back = [(pending, held) for pending, held in found if held is not None]
        for pending, held in held_back[:most]:
            del self._waiting[pending.offset]
            self._hold_back.dismiss(pending, held, now)

    def next_question(self, now: float) -> ReserveContacts | None:
        """Return the next question to the store, unless one is open or it is too early."""
        if self._asked or not self._waiting or now < self.retry_at:
            return None
        for offset in list(islice(self._waiting, ASKED_AT_ONCE)):
            self._asked[offset] = self._waiting.pop(offset)
        return ReserveContacts(list(self._asked.values()))

    def wake_at(self) -> float:
        """Return when to ask at the latest."""
        return self.retry_at if self._waiting and not self._asked else math.inf

    def answered(self, decisions: Mapping[int, Decision], now: float) -> Collection[str]:
        """Record the store's decisions by offset: granted invitations go to their windows. Return
        the campaigns of these: one may have been parked, or left the config, meanwhile."""
        asked, self._asked = self._asked, {}
        campaigns: dict[str, None] = {}
        for offset, pending in asked.items():
            decision = decisions[offset]
            held = self._hold_back.at_intake(pending, now) or held_back(decision)
            if held is None:
                self._buffer.admit(pending)
                campaigns[pending.campaign] = None
            else:
                self._hold_back.dismiss(pending, held, now)
        return campaigns

    def failed(self, now: float) -> None:
        """Record that the store did not answer: all of the question waits for another one."""
        self._waiting = {**self._asked, **self._waiting}
        self._asked = {}
        self.retry_at = now + RETRY_AFTER


def held_back(decision: Decision) -> HeldBack | None:
    """Return what a decision of the contact rules does to an invitation; None: it may go on."""
    if decision.verdict is Verdict.GRANTED:
        return None
    details: dict[str, str] = {}
    for key in ("rule", "blocked_by", "duplicate_of"):
        if (value := getattr(decision, key)) is not None:
            details[key] = value
    eligible_at = decision.eligible_at
    known = eligible_at is not None and 0 <= eligible_at <= LAST_MOMENT
    if known:
        details["eligible_at"] = rfc3339(eligible_at or 0.0)
    return HeldBack(decision.reason, eligible_at if known else None, details)
