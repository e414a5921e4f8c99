"""A lane: everything that shares one quota, as a pure state machine.

Theory of operation. Events come in by method (`arrived`, `answered`, `committed`, …), each with
the time; `tick(now)` returns the commands that follow. The runtime carries them out and feeds
the completions back:

    arrived ─► window ─(permit)─► sealed ─ Commit(intent) ─► Send ─► answered ─ Commit(results)

    Lane ─┬─ arrivals   what is read: it waits, ends, is put off
          ├─ sealing    who is called next, by the agenda and the scheduler
          ├─ quota      permits, and what a 429 taught
          ├─ outcomes   what an answer leads to
          └─ due        what the next commit carries

One commit is out at a time, and it carries all that is due: results of answered batches and
intents of newly sealed ones. Nothing leaves before the commit that records it: neither a call
nor a login. A lane object lives from takeover to loss; its successor starts from the checkpoint.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence

from consumer.lane.account.accounts import Accounts
from consumer.lane.buffer.buffer import InvitationBuffer
from consumer.lane.buffer.window import Window
from consumer.lane.dispatch.scheduler import Scheduler
from consumer.lane.dispatch.sealing import Sealing
from consumer.lane.intake import Intake
from consumer.lane.offsets.attempts import Attempts
from consumer.lane.offsets.in_doubt import InDoubtBatches
from consumer.lane.offsets.read_plan import Mode
from consumer.lane.offsets.settled import SettledOffsets
from consumer.lane.quota.quota import Quota
from consumer.lane.settlement.outbox import Outbox
from consumer.lane.settlement.results import CallFacts
from consumer.lane.settlement.settlement import Settlement
from consumer.lane.state.commands import (
    Batch,
    Command,
    Commit,
    Login,
    Send,
)
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import (
    FRESH_SECONDS,
    LaneSettings,
)
from consumer.records.call import Outcome
from consumer.records.checkpoint import (
    Checkpoint,
    Owner,
)
from consumer.records.dead_letter import DeadLetter
from consumer.records.fields import LAST_MOMENT

SWEEP_EVERY = 30.0
"""Seconds between searches for invitations that expired while they waited."""


class Lane:
    """One owner's time with a lane.

    `epoch` is unique to this ownership (the offset of its claim) and part of its batch ids;
    `topic_id` is the invitations topic's. Raises ValueError for a checkpoint nobody wrote.
    """

    def __init__(
        self,
        settings: LaneSettings,
        rng: random.Random,
        now: float,
        *,
        base: int = 0,
        epoch: int = 0,
        topic_id: str | None = None,
        checkpoint: Checkpoint | None = None,
        owners: Sequence[Owner] = (),
        scheduler: Scheduler | None = None,
    ) -> None:
        self.settings = settings
        self.wake_at = now
        self.epoch = epoch
        self._topic_id = topic_id
        self._owners = tuple(owners)
        self.settled = (
            SettledOffsets(checkpoint.base, checkpoint.done)
            if checkpoint is not None
            else SettledOffsets(base)
        )
        self.buffer = InvitationBuffer(settings, self.settled)
        self._in_doubt = InDoubtBatches(
            checkpoint.in_flight if checkpoint else (), self.settled.settled
        )
        self._outbox = Outbox(
            self.settled, Attempts(checkpoint.tried if checkpoint else (), self.settled.base)
        )
        self._quota = Quota(settings, checkpoint, now)
        self.quota_backoff, self.limiter = self._quota.backoff, self._quota.limiter
        self.accounts = Accounts(settings.logins, settings.call_timeout, rng)
        self.settlement = Settlement(
            self.buffer, self._outbox, self.accounts, self.quota_backoff, rng
        )
        self._intake = Intake(
            self.buffer, self._outbox, self._in_doubt, self.settlement, self.accounts
        )
        self._sealing = Sealing(
            epoch,
            self.buffer,
            self._quota,
            self.accounts,
            self.settlement,
            self._in_doubt,
            rng,
            scheduler,
        )
        self.commit_seconds = 0.0
        """What a commit may take before logins that it records are too old to leave."""
        self._committing: list[Send | Login] | None = None
        self._unrecorded = checkpoint is None  # an assumed quota must outlive a restart
        self._stopping = False
        self._sweep_at = now + SWEEP_EVERY
        self._sweep_more = False

    # -- events -------------------------------------------------------------------------------

    def arrived(self, held: PendingInvitation, now: float) -> None:
        """A record of the lane's topic was read. Settled and repeated ones are passed over."""
        self._intake.arrived(held, now)

    def postponed(self, held: PendingInvitation, now: float) -> None:
        """A record that a later version of the program wrote: it may be read after an upgrade."""
        self._intake.postponed(held, now)

    def unreadable(self, letter: DeadLetter) -> None:
        """A record of the lane's topic that is no invitation: a dead letter settles it."""
        self._intake.unreadable(letter)

    def abandon(self, letter: DeadLetter, campaign: str | None) -> None:
        """A record that raised while it was taken in; `campaign` if so much of it was read."""
        self._intake.abandon(letter, campaign)

    def answered(
        self, batch_id: str, outcome: Outcome, *, sent_at: float | None, at: float
    ) -> None:
        """A call completed at `at`; `sent_at` is None if nothing of it left this machine."""
        batch, part_of = self._sealing.ended(batch_id)
        # Recorded even when everyone waits on: else the next owner would be in doubt about them.
        self._unrecorded = True
        silent = outcome.http_status is None and sent_at is not None
        self._quota.call_ended(at, silent=silent)
        facts = CallFacts.from_call(
            batch_id, outcome, batch.sealed_at if sent_at is None else sent_at, at
        )
        if outcome.throttled:
            self._quota.call_throttled(outcome, batch.sealed_at, at)
        self.settlement.of_call(batch, part_of, outcome, facts, at)

    def logged_in(self, vendor: str, expires_at: float, at: float) -> None:
        """A login succeeded at `at`."""
        self._quota.call_ended(at)
        self.accounts.sessions[vendor].opened(at, expires_at)

    def login_failed(self, vendor: str, outcome: Outcome, at: float) -> None:
        """A login was refused or not answered; its permit is spent all the same."""
        self._quota.call_ended(at, silent=outcome.http_status is None)
        if outcome.throttled:
            self._quota.call_throttled(outcome, at, at)
        self.accounts.login_failed(vendor, outcome, at)

    def committed(self) -> list[Command]:
        """The commit that was out is definite: what it recorded may leave."""
        leaving = self._committing or []
        self._committing = None
        return list(leaving)

    def commit_took(self, seconds: float) -> None:
        """The last commit took so long: the next one may take twice as long."""
        self.commit_seconds = 2 * seconds if seconds > FRESH_SECONDS / 4 else 0.0

    def reconfigure(
        self, settings: LaneSettings, now: float, *, relogin: Collection[str] = ()
    ) -> None:
        """Another config from now on: who waits follows it, what is in flight ends by the old one.

        Campaigns that it does not know are put off. `relogin`: vendors whose account changed.
        """
        self.settings = settings
        self.buffer.reconfigure(settings)
        self._sealing.reconfigure()
        self._quota.reconfigure(settings, now)
        self.accounts.reconfigure(settings.logins, settings.call_timeout, relogin, now)
        self.settlement.reconfigure()
        self.settlement.acquit(lambda trial: trial.rules.vendor in relogin)
        for campaign in self.stopped_campaigns(now):
            self.retry_campaign(campaign, now)  # what was wrong may be mended
        for window in list(self.windows.values()):
            if window.campaign not in settings.campaigns:
                self.settlement.drop_campaign(window.campaign, now)
        self._unrecorded = True

    def parked_campaigns(self, now: float) -> list[str]:
        """Campaigns whose invitations are put off, for the vendor cannot use them."""
        return [name for name, window in self.windows.items() if window.parked_until > now]

    def stopped_campaigns(self, now: float) -> list[str]:
        """Parked campaigns, and those that an open breaker, theirs or the account's, holds back."""
        known, parked = self.settings.campaigns, self.parked_campaigns(now)
        return parked + [
            name
            for name in self.windows.keys() & known.keys() - set(parked)
            if self.accounts.holds_back(known[name].vendor, name)
        ]

    def retry_campaign(self, campaign: str, now: float) -> None:
        """Call a campaign again at once, whatever its last calls were answered.

        What was put off is with the delay topics, whose stage gives it back (`EarlyReturns`).
        """
        self.settlement.retry_campaign(campaign, now)

    def reopen(self, now: float) -> bool:
        """End the silence that a 429 began. False if there is none.

        The calls that were made still count against the limits, of which a part is in use.
        """
        if self.limiter.closed_until <= now:
            return False
        self.limiter.closed_until = now
        self._unrecorded = True
        return True

    def request_checkpoint(self) -> None:
        """Write a checkpoint with the next commit, whatever has changed."""
        self._unrecorded = True

    def stop_sealing(self) -> None:
        """Seal nothing new; what is in flight is answered and committed."""
        self._stopping = True

    # -- decisions ----------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Nothing is in flight and nothing is left to commit."""
        out = self.in_flight or self.accounts.logging_in() or self._committing is not None
        return not (out or self._dirty)

    @property
    def commit_size(self) -> int:
        """Results, dead letters and invitations put off at which a commit counts as full: what is
        left of a crowd that ends, or is put off, waits for the next one."""
        return self._outbox.most

    @commit_size.setter
    def commit_size(self, most: int) -> None:
        self._outbox.most = most

    @property
    def unpublished_results(self) -> int:
        """Results that the next commit will carry."""
        return len(self._outbox.results)

    @property
    def saturated(self) -> bool:
        """All calls are out and a full batch stands ready: reading on would only fill memory."""
        return len(self.in_flight) >= self.settings.max_in_flight and any(
            window.ready == window.max_batch for window in self.windows.values()
        )

    def accepts(self, offset: int) -> bool:
        """Whether a record of the lane's topic is worth parsing; to be asked for each, in order.

        Raises KafkaSessionError if the records do not come in order.
        """
        return self.buffer.read_plan.accepts(offset)

    def at_end(self, offset: int) -> None:
        """The log ends before `offset`; said after the records that came with it."""
        self.buffer.read_plan.at_end(offset)

    @property
    def in_flight(self) -> Mapping[str, Batch]:
        """Sealed batches that were not answered, by id."""
        return self._sealing.in_flight

    @property
    def windows(self) -> Mapping[str, Window]:
        """Who waits, by campaign."""
        return self.buffer.windows

    @property
    def paused(self) -> bool:
        """Nothing is read: as much is held and noted as may be, and nobody would be helped."""
        return self.buffer.read_plan.mode is Mode.STOPPED

    def tick(self, now: float) -> list[Command]:
        """All commands that follow from the events so far; sets `wake_at`."""
        if now >= self._sweep_at or (self._sweep_more and not self._outbox.full):
            self._sweep_at = now + SWEEP_EVERY
            self.settlement.sweep(now)
            self._sweep_more = self._outbox.full
        if not self._stopping:
            self.settlement.put_off_more(now)
        self.wake_at = self._sweep_at
        if self._quota.recover(now):
            self._unrecorded = True
        if not self._stopping:
            self.wake_at = min(self.wake_at, self._sealing.log_in(now), self._sealing.seal(now))
        commands: list[Command] = []
        if self._committing is None and self._dirty:
            commands.append(self._commit(now))
        return commands + self._intake.steer()

    @property
    def _dirty(self) -> bool:
        return bool(self._outbox) or bool(self._sealing.starting) or self._unrecorded

    def _commit(self, now: float) -> Commit:
        commit = Commit(self.checkpoint(now), *self._outbox.take())
        self._committing, self._sealing.starting = self._sealing.starting, []
        self._unrecorded = False
        return commit

    def checkpoint(self, now: float) -> Checkpoint:
        """The lane's whole state. A login in progress counts as answered at its latest."""
        logins = [
            self._quota.latest_arrival(now + self.commit_seconds)
        ] * self.accounts.logging_in()
        return Checkpoint(
            lane=self.settings.name,
            topic_id=self._topic_id,
            base=self.settled.base,
            done=self.settled.packed(),
            in_flight=[*self._in_doubt, *self._sealing.intents.values()],
            permit_log=[*self.limiter.stamps(now), *logins],
            permit_log_reach=self._quota.log_reach,
            quota=self._quota.known(now, logins),
            unknown_until=max(0.0, self.limiter.unknown_until),
            at=now,
            config_version=self.settings.config_version,
            closed_until=min(max(0.0, self.limiter.closed_until), LAST_MOMENT),
            limits_part=self.quota_backoff.quota_fraction,
            limits_since=self.quota_backoff.since,
            tried=self._outbox.attempts.packed(self.settled.base),
            owners=self._owners,
        )
