"""Bisections of a lane: the refused batches in which bad recipients are searched for.

At most `MOST_BISECTIONS` batches of a campaign are divided before its next one is called, since
that one would be refused for the same recipients. Together they take at most `MOST_MEMORY` of the
memory. A batch beyond that is called again as a whole, after the present bisections.

A bisection ends when no invitation waits in it. It is dissolved, so that its invitations wait in
their window again, when the account fails, the campaign is parked, or no calls are left and the
refusals may be the account's. Cost: linear in the invitations of the bisection that is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from consumer.lane.account.accounts import Accounts
from consumer.lane.buffer.buffer import InvitationBuffer
from consumer.lane.settlement.answered_call import AnsweredCall
from consumer.lane.settlement.bisection import Bisection
from consumer.lane.settlement.fitness import Fitness
from consumer.lane.settlement.outbox import Outbox
from consumer.lane.state.commands import Batch
from consumer.lane.state.pending import PendingInvitation
from consumer.records.result import Reason

MOST_BISECTIONS = 2
"""Refused batches of a campaign that are divided at a time, before its next one is called."""

MOST_MEMORY = 1 / 2
"""Share of the memory that bisections may take: their invitations cannot be evicted."""


@dataclass(slots=True)
class Bisections:
    """Starts and ends bisections."""

    _buffer: InvitationBuffer
    _outbox: Outbox
    _accounts: Accounts
    _fitness: Fitness
    _bisections: list[Bisection] = field(default_factory=list)
    _ended: list[Bisection] = field(default_factory=list)

    def __iter__(self) -> Iterator[Bisection]:
        """Iterate over the present ones; some may end meanwhile."""
        return iter(tuple(self._bisections))

    def has_room_for(self, batch: Batch) -> bool:
        """Return whether dividing this batch too would leave other campaigns enough memory."""
        present = sum(bisection.campaign == batch.campaign for bisection in self._bisections)
        if present < MOST_BISECTIONS:
            return True
        divided = chain(chain.from_iterable(self._bisections), batch.invitations)
        sizes = [pending.size for pending in divided]
        settings = self._buffer.settings
        return (
            len(sizes) <= settings.max_buffered * MOST_MEMORY
            and sum(sizes) <= settings.max_buffered_bytes * MOST_MEMORY
        )

    def divide(
        self,
        call: AnsweredCall,
        invitations: Sequence[PendingInvitation],
        *,
        unattributed: bool = False,
    ) -> None:
        """Divide these invitations of a refused call: smaller calls find the bad recipients."""
        sealed = call.batch.rules
        rules = self._buffer.settings.campaigns.get(sealed.name, sealed)
        bisection = Bisection(rules, list(invitations), facts=call.facts, unattributed=unattributed)
        self._bisections.append(bisection)
        self.carry_on(bisection)

    def is_about_campaign(self, bisection: Bisection) -> bool:
        """Return whether the account is known to work, so that the refusals are the campaign's."""
        vendor = bisection.rules.vendor
        return not bisection.unattributed or self._accounts.passes(vendor, bisection.campaign)

    def carry_on(self, bisection: Bisection) -> None:
        """Finish the bisection when no invitations or no calls remain."""
        if bisection.spent and not bisection.part:
            if self.is_about_campaign(bisection):
                for pending in bisection.drop(lambda _pending: True):
                    pending.attempt += 1
                    self._outbox.end_buffered(pending, Reason.BISECT_SPENT, bisection.facts)
            else:
                self.dissolve(lambda other: other is bisection)
        self._end_if_empty(bisection)

    def dissolve(self, which: Callable[[Bisection], bool]) -> None:
        """End these bisections: waiting invitations return to their windows."""
        for bisection in filter(which, self):
            waiting = bisection.drop(lambda _pending: True)
            self._buffer.window(bisection.campaign).extend(waiting)
            self._end_if_empty(bisection)

    def end_unfit(self, bisection: Bisection, now: float) -> None:
        """End or delay the waiting invitations of a bisection that a rule holds back or that no
        longer fit."""
        asked = ((pending.offset, self._fitness.held_back(pending, now)) for pending in bisection)
        held_back = {offset: held for offset, held in asked if held is not None}
        for pending in bisection.drop(lambda pending: pending.offset in held_back):
            self._fitness.dismiss(pending, held_back[pending.offset], now)
        self._end_if_empty(bisection)

    def take_ended(self) -> list[Bisection]:
        """Return the bisections that ended since the last call of this."""
        ended, self._ended = self._ended, []
        return ended

    def _end_if_empty(self, bisection: Bisection) -> None:
        over = not bisection.part and not any(True for _ in bisection)
        if over and bisection in self._bisections:
            self._bisections.remove(bisection)
            self._ended.append(bisection)
