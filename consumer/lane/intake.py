"""Intake: what becomes of each record that is read from a lane's topic.

A record waits in the buffer, ends with a result or a dead letter, is delayed, or is ignored because
it is settled already. In each tick, `steer` decides what is read next.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from consumer.lane.account.accounts import Accounts
from consumer.lane.buffer.buffer import InvitationBuffer
from consumer.lane.offsets.in_doubt import InDoubtBatches
from consumer.lane.quota.bursts import Bursts
from consumer.lane.settlement.hold_back import HoldBack
from consumer.lane.settlement.outbox import Outbox
from consumer.lane.settlement.parking import Parking
from consumer.lane.settlement.reservations import Reservations
from consumer.lane.state.commands import Command
from consumer.lane.state.delay_steps import near_end
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.results import CallFacts
from consumer.records.checkpoint import InFlight
from consumer.records.dead_letter import DeadLetter
from consumer.records.result import Reason

LONGEST_DELAY = 3600.0
"""Longest delay in seconds of an invitation that makes way for other campaigns: `_until_served` is
only an estimate."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes in the records that were read, and steers what is read next."""

    _buffer: InvitationBuffer
    _outbox: Outbox
    _in_doubt: InDoubtBatches
    _parking: Parking
    _accounts: Accounts
    _hold_back: HoldBack
    _reservations: Reservations
    _bursts: Bursts

    def arrived(self, pending: PendingInvitation, now: float) -> None:
        """Take in an invitation. Ignore settled and repeated ones."""
        pending.attempt = self._outbox.attempts.count_of(pending.offset, pending.attempt)
        if self._buffer.settled.deliver(pending.offset):
            batch = self._in_doubt.resolve(pending.offset) if self._in_doubt else None
            if batch is not None:
                self._resolve_doubt(pending, batch, now)
            else:
                self._place(pending, now)
        elif self._buffer.read_plan.is_spilled(pending.offset):
            self._again(pending, now)

    def postponed(self, pending: PendingInvitation, now: float) -> None:
        """Delay a record of a later version of the program: it may be read after an upgrade. A
        record in doubt stays in doubt: only a program that can read it knows its campaign's
        rule."""
        pending.attempt = self._outbox.attempts.count_of(pending.offset, pending.attempt)
        if self._buffer.settled.deliver(pending.offset) and pending.offset not in self._in_doubt:
            self._outbox.delay(pending, now)

    def unreadable(self, letter: DeadLetter) -> None:
        """Settle a record that is no invitation by a dead letter."""
        offset = letter.source["offset"]
        if self._buffer.settled.deliver(offset):
            self._in_doubt.resolve(offset)
            self._outbox.add_dead_letter(letter)

    def abandon(self, letter: DeadLetter, campaign: str | None) -> None:
        """Settle a record by a dead letter after its intake raised, at any point. It is removed
        from the buffer. If it was settled before the error, that settlement stands."""
        offset = letter.source["offset"]
        self._buffer.settled.deliver(offset)
        if self._buffer.settled.settled(offset):
            return
        if campaign is not None:
            self._buffer.remove(offset, campaign)
            self._reservations.remove(offset)
        self._in_doubt.resolve(offset)
        self._outbox.add_dead_letter(letter)

    def steer(self) -> list[Command]:
        """Return the commands that stop reading, continue it, or go back to spilled invitations.

        The contact store grants nothing while batches are in doubt, so reading goes on until the
        last of them; what there is no room for is spilled."""
        buffer, full = self._buffer, self._reservations.full
        stop = full or (buffer.spill_is_full and self._unblocks_none())
        if self._reservations.needed and self._in_doubt:
            stop = False
        stop = stop or buffer.settled.at_bound
        to_reload = [] if full else buffer.campaigns_to_reload()
        return buffer.read_plan.steer(to_reload, stop=stop)

    def _place(self, pending: PendingInvitation, now: float) -> None:
        """End, delay or buffer an invitation that was read for the first time."""
        campaign = pending.campaign
        held = self._hold_back.at_intake(pending, now)
        if held is not None:
            self._hold_back.turn_away(pending, held, now)
        elif near_end(pending.expires_at, now):
            self._accept(pending)
        elif self._parking.is_parked(campaign, now):
            self._outbox.delay(pending, now)
        elif self._crowds(campaign):
            self._outbox.delay(pending, now, self._until_served(campaign))
        else:
            if pending.attempt and not pending.delays:
                self._accounts.campaigns[campaign].tried_before(now)
            self._bursts.arrived(campaign, now)
            self._accept(pending)

    def _accept(self, pending: PendingInvitation) -> None:
        """Have an invitation wait for a call, once the contact store grants it; spill it if
        too many wait for that."""
        if not self._reservations.needed:
            self._buffer.add(pending)
        elif not self._reservations.add(pending):
            self._buffer.read_plan.spill(pending.offset, pending.campaign)

    def _again(self, pending: PendingInvitation, now: float) -> None:
        """Take in a spilled invitation that was read again."""
        read_plan = self._buffer.read_plan
        held = self._hold_back.at_intake(pending, now)
        if held is not None or self._parking.is_parked(pending.campaign, now):
            read_plan.unspill(pending.offset, pending.campaign)
            self._place(pending, now)
        elif self._buffer.has_room_for(pending.campaign) and not self._reservations.full:
            read_plan.unspill(pending.offset, pending.campaign)
            self._accept(pending)
        else:
            read_plan.leave_behind(pending.campaign)

    def _resolve_doubt(self, pending: PendingInvitation, batch: InFlight, now: float) -> None:
        """Decide an invitation that the previous owner may have sent. Send it again only if its
        campaign says `in_doubt: resend` and it has attempts left; else end it."""
        pending.attempt = batch.attempt
        campaign = self._buffer.settings.campaigns.get(batch.campaign)
        again = campaign is not None and campaign.in_doubt == "resend"
        held = self._hold_back.at_intake(pending, now)
        again = again and (held is None or held.reason is None)
        if campaign and again and pending.attempt < campaign.max_attempts:
            self._outbox.attempts.set_count(pending.offset, pending.attempt)
            self._place(pending, now)
        else:
            self._outbox.end(pending, Reason.OWNER_LOST, CallFacts(batch=batch.batch_id))

    def _crowds(self, campaign: str) -> bool:
        """Return whether the campaign's backlog must make way for other campaigns: the spill limit
        is reached, and some of its invitations are spilled."""
        if not self._buffer.spill_is_full:
            return False
        some = self._buffer.read_plan.counts[campaign] > 0
        return some and len(self._buffer.settings.campaigns) > 1

    def _unblocks_none(self) -> bool:
        """Return whether reading on would help no campaign: all accounts fail, or no other
        exists."""
        vendors = {campaign.vendor for campaign in self._buffer.settings.campaigns.values()}
        return self._accounts.ill(vendors) or len(self._buffer.settings.campaigns) < 2

    def _until_served(self, campaign: str) -> float:
        """Estimate the seconds until earlier invitations are called, given every permit."""
        settings, window = self._buffer.settings, self._buffer.window(campaign)
        before = self._buffer.read_plan.counts[campaign] + window.count
        rate = min((limit.calls / limit.period for limit in settings.limits), default=math.inf)
        return min(before / (rate * settings.share * window.max_batch), LONGEST_DELAY)
