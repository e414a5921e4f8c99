"""A window: the next batch of one campaign, while its invitations wait for a call.

A call is keyed by recipient, so two invitations for one recipient never share it: the second stands
*behind* the first and comes forward when the first has been taken. Oldest first.
"""

from __future__ import annotations

import heapq
import math
import random
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from consumer.lane.state.delay_steps import wait_of
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneCampaign
from consumer.records.result import Reason

FEW = 50
"""If new heads are fewer than one in `FEW` of the present ones, they are inserted singly; else all
heads are sorted."""


@dataclass(slots=True)
class Window:
    """Invitations by age, one head for each recipient; and when the campaign may be called.

        open ──back_off──► not before `not_before` ──its time, recover or resume──► open
        any ──park──► delays its invitations until `parked_until` ──its time or resume──► open

    `failures` in a row, the last at `failed_at`. `parked_at`: time of the last park, 0 once a later
    call was accepted. `resumed_at`: time of the last resume. `urgent`: the next permit is its, at
    any price, because a retry was asked for. `probed`: offset of the last customer called alone
    as a probe. `tried_at`: time of the last call. Only methods of the window change its state.

    `_queues` holds each recipient's invitations by offset, `_heads` the first of each, in order: a
    list, for most come in order and many go at once. `_arrivals` is the sum of the heads' arrival
    times, `_front` that of the oldest `max_batch`, which stay the same while younger ones come.
    """

    campaign: str
    max_batch: int
    max_wait: float
    weight: float = 1.0
    not_before: float = 0.0
    parked_until: float = 0.0
    parked_at: float = 0.0
    resumed_at: float = -math.inf
    urgent: bool = False
    failures: int = 0
    failed_at: float = 0.0
    probed: int | None = None
    tried_at: float = 0.0
    max_bytes: int = 10 * 2**20
    count: int = 0
    expires: float = math.inf
    """No invitation expires before."""
    changed: dict[str, None] = field(default_factory=dict)
    """Campaigns whose windows changed, in order: one dict that all windows of the buffer share."""
    _arrivals: float = 0.0
    _front: tuple[int, int, float] | None = None  # max_batch, its last offset, sum of arrivals
    _heads: list[tuple[int, str]] = field(default_factory=list)
    _queues: dict[str, list[PendingInvitation]] = field(default_factory=dict)

    def configure(self, campaign: LaneCampaign | None) -> None:
        """Apply a config; without the campaign in it (None) the window is never called."""
        self.max_batch = campaign.max_batch if campaign else 1
        self.max_bytes = campaign.max_bytes if campaign else 1
        self.max_wait = campaign.max_wait if campaign else math.inf
        self.weight = campaign.weight if campaign else 1.0

    def mark_changed(self) -> None:
        """Have the due index compute this window again."""
        self.changed[self.campaign] = None

    def is_parked(self, now: float) -> bool:
        """Return whether the vendor cannot use the campaign, so that invitations are delayed."""
        return self.parked_until > now

    def back_off(self, until: float) -> None:
        """Call the campaign again at `until`, which may be earlier than before."""
        self.not_before = until
        self.mark_changed()

    def record_call(self, now: float) -> None:
        """Record that the campaign was called: probes of an account go to another one first."""
        self.tried_at, self.urgent = now, False

    def record_failure(self, sealed_at: float, at: float) -> None:
        """Count a failed call. Of calls in flight together, only the first failure counts."""
        if sealed_at >= self.failed_at:
            self.failures, self.failed_at = self.failures + 1, at

    def record_success(self) -> None:
        """End the failures in a row: the vendor can use the campaign."""
        self.failures, self.parked_at = 0, 0.0

    def park(self, now: float, *, counted: bool = False) -> None:
        """Park the campaign, longer if it failed before. `counted`: this failure was recorded."""
        # Without failures a later call than this one was accepted.
        self.failures = max(1, self.failures) if counted else self.failures + 1
        self.probed = None  # they return in the same order: begin at a random one
        self.parked_at = now
        self.parked_until = self.not_before = now + wait_of(self.failures - 1)
        self.mark_changed()

    def reconfigured(self, now: float) -> None:
        """Record that another config is in use: calls in flight say nothing about it."""
        self.resumed_at = now

    def resume(self, now: float, *, urgent: bool = False) -> None:
        """End every pause: an operator or another config asks for the next call. Answers to calls
        sealed before it say nothing about what was mended since."""
        self.resumed_at, self.urgent = now, urgent or self.urgent
        self.parked_until = min(self.parked_until, now)
        self.back_off(min(self.not_before, now))

    def recover(self, now: float) -> None:
        """End the backoff, unless the campaign is parked: its account, or itself, is well again."""
        if not self.is_parked(now):
            self.failures = 0
            self.back_off(0.0)

    @property
    def ready(self) -> int:
        """Number of customers that one call could take now, at most `max_batch`."""
        return min(len(self._queues), self.max_batch)

    @property
    def oldest(self) -> float:
        """When the invitation with the lowest offset arrived (only if not empty)."""
        return self._queues[self._heads[0][1]][0].arrived

    @property
    def growth(self) -> float:
        """Customers that a call would take."""
        return self.ready

    def waited(self, now: float) -> float:
        """Return the customer-seconds of waiting that one call would end."""
        if len(self._queues) <= self.max_batch:
            return len(self._queues) * now - self._arrivals
        if self._front is None or self._front[0] != self.max_batch:
            front = self._heads[: self.max_batch]
            arrivals = sum(self._queues[recipient][0].arrived for _, recipient in front)
            self._front = self.max_batch, front[-1][0], arrivals
        return self.max_batch * now - self._front[2]

    def add(self, pending: PendingInvitation) -> None:
        """Add an invitation: as a head, or behind its recipient's earlier ones."""
        if not self._queue(pending):
            return
        head = pending.offset, pending.recipient
        if self._heads and head < self._heads[-1]:
            insort(self._heads, head)
        else:
            self._heads.append(head)

    def extend(self, many: Iterable[PendingInvitation]) -> None:
        """Add many, each in its place: an invitation that was taken before is first again."""
        in_order = sorted(many, key=_offset)
        first = filter(self._queue, in_order)
        heads = [(pending.offset, pending.recipient) for pending in first]
        if len(heads) * FEW < len(self._heads):
            for head in heads:
                insort(self._heads, head)
        else:
            self._heads += heads
            self._heads.sort()

    def _queue(self, pending: PendingInvitation) -> bool:
        """Add an invitation to its recipient's queue. Return whether it is a head (the first)."""
        self.count += 1
        self.mark_changed()
        if pending.expires_at is not None and pending.expires_at < self.expires:
            self.expires = pending.expires_at
        queue = self._queues.get(pending.recipient)
        if queue is None:
            queue = self._queues[pending.recipient] = [pending]
        else:
            insort(queue, pending, key=_offset)
        if queue[0] is not pending:
            return False
        self._arrivals += pending.arrived
        if len(queue) > 1:
            self._arrivals -= queue[1].arrived
            del self._heads[bisect_left(self._heads, (queue[1].offset,))]
        if self._front is not None and pending.offset < self._front[1]:
            self._front = None
        return True

    def take(self, most: int = 10**9) -> list[PendingInvitation]:
        """Remove and return the oldest `max_batch` of distinct recipients, at most `most`, and at
        most `max_bytes` of them; always one, if any is ready."""
        size, room = min(self.ready, most), self.max_bytes
        taken = list[PendingInvitation]()
        for _, recipient in self._heads[:size]:
            pending = self._queues[recipient][0]
            room -= len(pending.value)
            if room < 0 and taken:
                break
            taken.append(pending)
        del self._heads[: len(taken)]
        self._front = None
        self._come_forward(taken)
        self.count -= len(taken)
        self.mark_changed()
        return taken

    def take_probe(self, rng: random.Random) -> list[PendingInvitation]:
        """Remove and return one customer, each time the next. The first one is chosen at random,
        for a failing customer that returns from a delay topic would be first each time."""
        if self.probed is None:
            place = rng.randrange(len(self._heads))
        else:
            place = bisect_left(self._heads, (self.probed + 1,)) % len(self._heads)
        offset, recipient = self._heads.pop(place)
        pending = self._queues[recipient][0]
        self.probed, self._front = offset, None
        self._come_forward([pending])
        self.count -= 1
        self.mark_changed()
        return [pending]

    def drop(self, unwanted: Callable[[PendingInvitation], bool]) -> list[PendingInvitation]:
        """Remove and return every invitation for which `unwanted` holds."""
        dropped = [pending for pending in self if unwanted(pending)]
        if dropped:
            self.mark_changed()
            kept = [pending for pending in self if not unwanted(pending)]
            self._heads, self._queues, self.count, self._arrivals = [], {}, 0, 0.0
            self._front = None
            self.extend(kept)
        return dropped

    def drop_some(
        self, unwanted: Callable[[PendingInvitation], bool], most: int
    ) -> list[PendingInvitation]:
        """Remove and return at most `most` of the invitations for which `unwanted` holds."""
        going = {pending.offset for pending in islice(filter(unwanted, self), most)}
        return self.drop(lambda pending: pending.offset in going)

    def drop_refused(
        self,
        refusal: Callable[[PendingInvitation, float], Reason | None],
        now: float,
        most: int = 10**9,
    ) -> list[tuple[PendingInvitation, Reason]]:
        """Remove at most `most` refused invitations and return them with their reasons. Free while
        none can have expired."""
        if now < self.expires or not most:
            return []
        asked = ((pending.offset, refusal(pending, now)) for pending in self)
        refused = dict(islice(((at, reason) for at, reason in asked if reason is not None), most))
        dropped = self.drop(lambda pending: pending.offset in refused)
        ends = (pending.expires_at for pending in self if pending.expires_at is not None)
        self.expires = min(ends, default=math.inf)
        return [(pending, refused[pending.offset]) for pending in dropped]

    def take_youngest(self, share: float) -> list[PendingInvitation]:
        """Remove and return this share of the invitations, at least one: the ones read last."""
        number = max(1, int(self.count * share))
        going = {pending.offset for pending in heapq.nlargest(number, self, key=_offset)}
        return self.drop(lambda pending: pending.offset in going)

    def __iter__(self) -> Iterator[PendingInvitation]:
        return chain.from_iterable(self._queues.values())

    def _come_forward(self, taken: Sequence[PendingInvitation]) -> None:
        """Let the next invitation of each recipient come forward, whose first was taken."""
        queues = self._queues
        for pending in taken:
            queue = queues[pending.recipient]
            self._arrivals -= pending.arrived
            if len(queue) == 1:
                del queues[pending.recipient]
            else:
                del queue[0]
                insort(self._heads, (queue[0].offset, pending.recipient))
                self._arrivals += queue[0].arrived
        if not queues:
            self._arrivals = 0.0  # clear rounding errors


def _offset(pending: PendingInvitation) -> int:
    return pending.offset
