"""Inflow: without a quota, how long a window may wait for invitations that are about to be read.

A permit costs nothing there, but a call does: an intent, a request, a commit. With n campaigns in a
lane, each poll of a backlog leaves 1/n of its records in each window, and calls that leave at once
carry that much. So while more waits in the log, a window that is not full waits for it:

    poll of more than half of what was asked ──► inflow ──(`LULL` without such a poll)──► none

    a window waits, while there is inflow, until it is full, at most until
        `FILL_AT_MOST` after its last call, or after the lane's first inflow if that is later
        `FILL_AT_MOST` before one of its invitations may expire

Invariants: where few records come, or memory is nearly full, or nothing is read, no window waits.
No window waits after a failed call, nor one that is called with one customer as a probe. A campaign
that was not called for so long is called with its first customer. Cost: two comparisons a window,
and a new due time for each window when inflow begins or ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from consumer.lane.account.accounts import Accounts
from consumer.lane.buffer.buffer import InvitationBuffer
from consumer.lane.buffer.window import Window
from consumer.lane.dispatch.scheduler import Waiting
from consumer.lane.offsets.read_plan import Mode

LULL = 1.0
"""Seconds after which the reader has caught up. The transactions of a router that works a backlog
off in the same process come every 0.1 to 0.9 s: between two of them the lane reaches its log's
end."""

FILL_AT_MOST = 5.0
"""Seconds in which a campaign is called at least once while it has customers. Eight windows of
5,000 fill in 2.5 s at 16,000 records a second, on a busy machine in 4 s."""


@dataclass(slots=True)
class Inflow:
    """Whether more is about to be read: `until` when, if no other poll says so."""

    _buffer: InvitationBuffer
    _accounts: Accounts
    until: float = -math.inf
    _first: float = math.inf
    _waits: bool = False

    def polled(self, records: int, asked: int, now: float) -> None:
        """Record a poll of the lane's topic."""
        if 2 * records > asked:
            self.until, self._first = now + LULL, min(now, self._first)

    def update(self, now: float) -> bool:
        """Decide whether windows wait. Return whether that changed, so that all due times did."""
        before, stopped = self._waits, self._buffer.read_plan.mode is Mode.STOPPED
        self._waits = now < self.until and not (stopped or self._buffer.nearly_full)
        return self._waits is not before

    def full_by(self, waiting: Waiting) -> float:
        """Return until when something that waits may wait on to be full."""
        if not (self._waits and isinstance(waiting, Window)) or waiting.failures:
            return -math.inf
        vendor = self._buffer.vendor_of(waiting.campaign)
        if vendor is None or self._accounts.one_only(vendor, waiting.campaign):
            return -math.inf
        begun = max(waiting.tried_at, self._first)
        return min(begun + FILL_AT_MOST, waiting.expires - FILL_AT_MOST)
