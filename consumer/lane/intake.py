"""Intake: what becomes of each record that is read from a lane's topic.

A record waits in the buffer, ends with a result or a dead letter, is delayed, or is ignored because
it is settled already. In each tick, `steer` decides what is read next.
"""

from __future__ import annotations

import math

from consumer.lane.account.accounts import Accounts
from consumer.lane.buffer.buffer import InvitationBuffer
from consumer.lane.offsets.in_doubt import InDoubtBatches
from consumer.lane.settlement.outbox import Outbox
from consumer.lane.settlement.results import CallFacts
from consumer.lane.settlement.settlement import Settlement
from consumer.lane.state.commands import Command
from consumer.lane.state.delay_steps import near_end, wait_of
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneSettings
from consumer.policy.rules import first_refusal
from consumer.records.checkpoint import InFlight
from consumer.records.dead_letter import DeadLetter
from consumer.records.result import Reason

LONGEST_DELAY = 3600.0
"""Longest delay in seconds of an invitation that makes way for other campaigns: `_until_served` is
only an estimate."""


class Intake:
    """Takes in the records that were read, and steers what is read next."""

    def __init__(
        self,
        shelf: InvitationBuffer,
        due: Outbox,
        doubt: InDoubtBatches,
        outcomes: Settlement,
        accounts: Accounts,
    ) -> None:
        self._buffer = shelf
        self._due = due
        self._in_doubt = doubt
        self._settlement = outcomes
        self._accounts = accounts

    @property
    def _settings(self) -> LaneSettings:
        return self._buffer.settings

    def arrived(self, held: PendingInvitation, now: float) -> None:
        """Take in an invitation. Ignore settled and repeated ones."""
        held.attempt = self._due.attempts.count_of(held.offset, held.attempt)
        if self._due.settled.deliver(held.offset):
            doubted = self._in_doubt.resolve(held.offset) if self._in_doubt else None
            if doubted is not None:
                self._decide_doubt(held, doubted, now)
            else:
                self._place(held, now)
        elif self._buffer.read_plan.is_noted(held.offset):
            self._again(held, now)

    def postponed(self, held: PendingInvitation, now: float) -> None:
        """Delay a record of a later version of the program: it may be read after an upgrade.

        A record in doubt stays in doubt: only a program that can read it knows its campaign's rule.
        """
        held.attempt = self._due.attempts.count_of(held.offset, held.attempt)
        if self._due.settled.deliver(held.offset) and held.offset not in self._in_doubt:
            self._due.delay(held, now, wait_of(held.delays))

    def unreadable(self, letter: DeadLetter) -> None:
        """Settle a record that is no invitation by a dead letter."""
        offset = letter.source["offset"]
        if self._due.settled.deliver(offset):
            self._in_doubt.resolve(offset)
            self._due.dead(letter)

    def abandon(self, letter: DeadLetter, campaign: str | None) -> None:
        """Settle a record by a dead letter after its intake raised, at any point.

        It is removed from the buffer. If it was settled before the error, that settlement stands.
        """
        offset = letter.source["offset"]
        self._due.settled.deliver(offset)
        if self._due.settled.settled(offset):
            return
        if campaign is not None:
            self._buffer.remove(offset, campaign)
        self._in_doubt.resolve(offset)
        self._due.dead(letter)

    def steer(self) -> list[Command]:
        """Return the commands that stop reading, continue it, or go back to spilled invitations."""
        stop = self._due.settled.at_bound or (self._buffer.spill_is_full and self._nobody_helped())
        return self._buffer.read_plan.steer(self._buffer.campaigns_to_reload(), stop=stop)

    def _place(self, held: PendingInvitation, now: float) -> None:
        """End, delay or buffer an invitation that was read for the first time."""
        refusal = self._refusal(held, now)
        if refusal is not None:
            self._settlement.end(held, refusal)
        elif near_end(held.expires_at, now):
            self._buffer.add(held)
        elif self._settlement.parked(held.campaign, now):
            self._due.delay(held, now, wait_of(held.delays))
        elif self._crowds(held.campaign):
            self._due.delay(held, now, self._until_served(held.campaign))
        else:
            if held.attempt and not held.delays:
                self._accounts.campaigns[held.campaign].tried_before(now)
            self._buffer.add(held)

    def _again(self, held: PendingInvitation, now: float) -> None:
        """Take in a spilled invitation that was read again."""
        reading = self._buffer.read_plan
        if self._refusal(held, now) is not None or self._settlement.parked(held.campaign, now):
            reading.take(held.offset, held.campaign)
            self._place(held, now)
        elif self._buffer.has_room_for(held.campaign):
            reading.take(held.offset, held.campaign)
            self._buffer.add(held)
        else:
            reading.leave(held.campaign)

    def _decide_doubt(self, held: PendingInvitation, doubted: InFlight, now: float) -> None:
        """Decide an invitation that the previous owner may have sent.

        Send it again only if its campaign says `in_doubt: resend` and it has attempts left; else
        end it.
        """
        held.attempt = doubted.attempt
        campaign = self._settings.campaigns.get(doubted.campaign)
        again = campaign is not None and campaign.in_doubt == "resend"
        again = again and self._refusal(held, now) is None
        if campaign and again and held.attempt < campaign.max_attempts:
            self._due.attempts.set_count(held.offset, held.attempt)
            self._place(held, now)
        else:
            self._settlement.end(held, Reason.OWNER_LOST, CallFacts(batch=doubted.batch_id))

    def _refusal(self, held: PendingInvitation, now: float) -> Reason | None:
        return first_refusal(self._settings.policy.at_intake, held, now)

    def _crowds(self, campaign: str) -> bool:
        """Return whether the campaign's backlog must make way for other campaigns: the spill limit
        is reached, and some of its invitations are spilled."""
        some = self._buffer.read_plan.counts[campaign] > 0
        return self._buffer.spill_is_full and some and len(self._settings.campaigns) > 1

    def _nobody_helped(self) -> bool:
        """Return whether reading on would help no campaign: all accounts fail, or no other
        exists."""
        vendors = {each.vendor for each in self._settings.campaigns.values()}
        return self._accounts.ill(vendors) or len(self._settings.campaigns) < 2

    def _until_served(self, campaign: str) -> float:
        """Estimate the seconds until earlier invitations are called, given every permit."""
        settings, window = self._settings, self._buffer.window(campaign)
        before = self._buffer.read_plan.counts[campaign] + window.count
        rate = min((each.calls / each.period for each in settings.limits), default=math.inf)
        return min(before / (rate * settings.share * window.max_batch), LONGEST_DELAY)
