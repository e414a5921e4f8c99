"""A lane: everything that shares one quota, as a pure state machine.

Theory of operation. Events come in by method (`arrived`, `answered`, `committed`, …), each with the
time. `tick(now)` returns the commands that follow. The runtime executes them and reports their
completions as events:

    arrived ─► window ─(permit)─► sealed ─ Commit(intent) ─► Send ─► answered ─ Commit(results)

    Lane ─┬─ intake      records that were read: each one waits, ends or is delayed
          ├─ buffer      pending invitations, a window for each campaign
          ├─ sealing     which window is called next, by the due index and the scheduler
          ├─ quota       permits of the rate limit, fewer of them after a 429
          ├─ settlement  results, retries, bisections, trials and delays that an answer leads to
          └─ outbox      what the next commit carries

One commit is in flight at a time. It carries all that is due: results of answered batches and
intents of newly sealed ones. No call and no login leaves before the commit that records it. A lane
object lives from takeover to loss; its successor starts from the checkpoint.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import chain

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
from consumer.lane.quota.forecast import Forecast
from consumer.lane.quota.quota import Quota
from consumer.lane.settlement.answered_call import AnsweredCall
from consumer.lane.settlement.outbox import Outbox
from consumer.lane.settlement.settlement import Settlement
from consumer.lane.state.commands import Batch, Command, Commit, ContactsAnswered, Login, Send
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.results import CallFacts
from consumer.lane.state.settings import FRESH_SECONDS, LaneSettings
from consumer.lane.state.snapshot import CampaignCircuit, CampaignSnapshot, LaneSnapshot
from consumer.policy.pauses import Pauses
from consumer.records.call import Outcome
from consumer.records.checkpoint import Checkpoint, Owner
from consumer.records.dead_letter import DeadLetter
from consumer.records.fields import LAST_MOMENT

SWEEP_EVERY = 30.0
"""Seconds between sweeps for invitations that expired while they waited."""


class Lane:
    """State machine of a lane during one ownership.

    `epoch` is unique to this ownership (the offset of its claim) and part of its batch ids;
    `topic_id` is that of the invitations topic. Raises ValueError if the checkpoint is malformed.
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
        tried = checkpoint.tried if checkpoint else ()
        self.outbox = Outbox(self.buffer, Attempts(tried, self.settled.base))
        self.quota = Quota(settings, checkpoint, now)
        self.quota_backoff, self.limiter = self.quota.backoff, self.quota.limiter
        self._forecast = Forecast.under(settings.limits)
        self.accounts = Accounts(settings.logins, settings.call_timeout, rng)
        self.settlement = Settlement(
            self.buffer, self.outbox, self.accounts, self.quota_backoff, rng
        )
        self._intake = Intake(
            self.buffer,
            self.outbox,
            self._in_doubt,
            self.settlement.parking,
            self.accounts,
            self.settlement.hold_back,
            self.settlement.reservations,
            self.quota.bursts,
        )
        self._sealing = Sealing(
            epoch,
            self.buffer,
            self.quota,
            self.accounts,
            self.settlement,
            self._in_doubt,
            rng,
            scheduler,
        )
        self.commit_seconds = 0.0
        """Seconds that a commit may take before the logins that it records are too old to leave."""
        self._committing: list[Send | Login] | None = None
        self._unrecorded = checkpoint is None  # an assumed quota must outlive a restart
        self._stopping = False
        self._sweep_at = now + SWEEP_EVERY
        self._sweep_more = False

    # -- events -------------------------------------------------------------------------------

    def arrived(self, pending: PendingInvitation, now: float) -> None:
        """Take in an invitation that was read. Ignore settled and repeated ones."""
        self._intake.arrived(pending, now)

    def postponed(self, pending: PendingInvitation, now: float) -> None:
        """Delay a record of a later version of the program: it may be read after an upgrade."""
        self._intake.postponed(pending, now)

    def unreadable(self, letter: DeadLetter) -> None:
        """Settle a record that is no invitation by a dead letter."""
        self._intake.unreadable(letter)

    def abandon(self, letter: DeadLetter, campaign: str | None) -> None:
        """Settle a record by a dead letter after its intake raised; `campaign`: None if unknown."""
        self._intake.abandon(letter, campaign)

    def answered(
        self, batch_id: str, outcome: Outcome, *, sent_at: float | None, at: float
    ) -> None:
        """Record a call's end at `at`; `sent_at` is None if nothing of it left this machine."""
        batch, part_of = self._sealing.remove_ended(batch_id)
        # Recorded even if all wait again: else the batch would be in doubt for the next owner.
        self._unrecorded = True
        silent = outcome.http_status is None and sent_at is not None
        self.quota.call_ended(at, silent=silent)
        left_at = batch.sealed_at if sent_at is None else sent_at
        facts = CallFacts.from_call(batch_id, outcome, left_at, at)
        if outcome.throttled:
            self.quota.call_throttled(outcome, batch.sealed_at, at)
        self.settlement.settle_call(AnsweredCall(batch, outcome, facts, at), part_of)

    def logged_in(self, vendor: str, expires_at: float, at: float) -> None:
        """Record that a login succeeded at `at`."""
        self.quota.call_ended(at)
        self.accounts.sessions[vendor].opened(at, expires_at)

    def login_failed(self, vendor: str, outcome: Outcome, at: float) -> None:
        """Record that a login was refused or not answered. Its permit is spent all the same."""
        self.quota.call_ended(at, silent=outcome.http_status is None)
        if outcome.throttled:
            self.quota.call_throttled(outcome, at, at)
        self.accounts.login_failed(vendor, outcome, at)

    def contacts_answered(self, answer: ContactsAnswered, now: float) -> None:
        """Record what the contact store decided, or that it is unavailable."""
        reservations, parking = self.settlement.reservations, self.settlement.parking
        if answer.sealing:
            self._sealing.contact_seal.answered(answer.decisions, now, answer.asked_at)
        elif answer.decisions is None:
            reservations.failed(now)
        else:
            parking.delay_parked(reservations.answered(answer.decisions, now), now)

    def committed(self) -> list[Command]:
        """Return the calls and logins that the finished commit recorded: they may leave."""
        leaving = self._committing or []
        self._committing = None
        return list(leaving)

    def commit_took(self, seconds: float) -> None:
        """Record how long the last commit took: the next one may take twice as long."""
        self.commit_seconds = 2 * seconds if seconds > FRESH_SECONDS / 4 else 0.0

    def reconfigure(
        self, settings: LaneSettings, now: float, *, relogin: Collection[str] = ()
    ) -> list[str]:
        """Apply another config. Waiting invitations follow it; calls in flight end by the old one.
        Invitations of unknown campaigns are delayed. `relogin`: vendors whose account changed.
        Return the campaigns that it resumed: see `pause`."""
        hold_back = self.settlement.hold_back
        before, stopped = hold_back.paused_parts(), self.stopped_campaigns()
        self.settings = settings
        self.buffer.reconfigure(settings)
        self._sealing.reconfigure()
        self.quota.reconfigure(settings, now)
        self.accounts.reconfigure(settings.logins, settings.call_timeout, relogin, now)
        self.settlement.reconfigure()
        if not settings.contacts:
            self.settlement.reservations.release()
        self.settlement.trials.acquit(lambda trial: trial.rules.vendor in relogin)
        for campaign in dict.fromkeys([*stopped, *self.stopped_campaigns()]):
            self.retry_campaign(campaign, now)  # the new config may have repaired it
        for window in self.windows.values():
            window.reconfigured(now)
        for window in chain.from_iterable(map(self.buffer.windows_of, relogin)):
            window.resume(now)
        self.settlement.parking.delay_parked(list(self.windows), now)
        self._unrecorded = True
        return hold_back.resumed_since(before)

    def pause(self, pauses: Pauses) -> list[str]:
        """Replace what is paused by command. Invitations that wait are held back when they are
        sealed; calls in flight are not called back. Return the campaigns that were paused, in part
        or as a whole, and may go now: their delayed invitations are in the delay topics, and the
        delay stage returns them (`EarlyReturns`)."""
        hold_back = self.settlement.hold_back
        before = hold_back.paused_parts()
        hold_back.pauses = pauses
        return hold_back.resumed_since(before)

    def parked_campaigns(self) -> list[str]:
        """Return the campaigns whose invitations are delayed because the vendor cannot use them.
        One stays parked until a call of it is accepted: its pause may be over, and what waits on
        the delay topics may be due later."""
        return [name for name, window in self.windows.items() if window.parked_at]

    def stopped_campaigns(self) -> list[str]:
        """Return the parked campaigns, and the ones that an open circuit breaker (their own or the
        account's) holds back."""
        known, parked = self.settings.campaigns, self.parked_campaigns()
        others = self.windows.keys() & known.keys() - set(parked)
        return parked + sorted(
            name for name in others if self.accounts.holds_back(known[name].vendor, name)
        )

    def retry_campaign(self, campaign: str, now: float) -> None:
        """Call a campaign again with the next permit, whatever the answers to its last calls. Its
        delayed invitations are in the delay topics: the delay stage returns them
        (`EarlyReturns`)."""
        self.settlement.parking.retry_campaign(campaign, now)
        self._sealing.allow_search()

    def reopen(self, now: float) -> bool:
        """End the silence that a 429 began. Return False if there is none. Calls that were made
        still count against the limits, of which only a fraction is in use."""
        if self.limiter.closed_until <= now:
            return False
        self.limiter.closed_until = now
        self._unrecorded = True
        return True

    def request_checkpoint(self) -> None:
        """Write a checkpoint with the next commit, even if nothing changed."""
        self._unrecorded = True

    def stop_sealing(self) -> None:
        """Seal no more batches. Batches in flight are still answered and committed."""
        self._stopping = True

    # -- decisions ----------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight and nothing is left to commit."""
        out = self.in_flight or self.accounts.logging_in() or self._committing is not None
        return not (out or self._dirty)

    @property
    def knows_in_flight(self) -> bool:
        """Whether `in_flight` is all that may be with the vendor: the former owner's batches in
        doubt are settled, and their results are committed."""
        return not (self._in_doubt or self.outbox or self._committing is not None)

    @property
    def saturated(self) -> bool:
        """Whether all calls are in flight and a batch is full: reading on only fills memory."""
        return len(self.in_flight) >= self.settings.max_in_flight and any(
            window.ready == window.max_batch for window in self.windows.values()
        )

    def accepts(self, offset: int) -> bool:
        """Return whether a record of the topic is worth parsing. Call it for each record, in order.
        Raises KafkaSessionError if records were skipped after a seek."""
        return self.buffer.read_plan.accepts(offset)

    def polled(self, records: int, asked: int, now: float) -> None:
        """Record how many records a poll returned, and how many it asked for."""
        if self._sealing.inflow is not None:
            self._sealing.inflow.polled(records, asked, now)

    def at_end(self, offset: int) -> None:
        """Record that the log ends before `offset`. Call it after the records of the same poll."""
        self.buffer.read_plan.at_end(offset)

    @property
    def in_flight(self) -> Mapping[str, Batch]:
        """Sealed batches without an answer, by id."""
        return self._sealing.in_flight

    @property
    def with_vendor(self) -> list[PendingInvitation]:
        """Invitations of calls in flight, and of the call that the contact store is asked about:
        with its word, which may be on its way, the call leaves."""
        question = self._sealing.contact_seal.open
        about_to_leave = question.invitations if question is not None else ()
        batches = self.in_flight.values()
        return [*chain.from_iterable(batch.invitations for batch in batches), *about_to_leave]

    @property
    def windows(self) -> Mapping[str, Window]:
        """Windows of pending invitations, by campaign."""
        return self.buffer.windows

    @property
    def paused(self) -> bool:
        """Whether reading is paused: the bounds are reached, and more would unblock no campaign."""
        return self.buffer.read_plan.mode is Mode.STOPPED

    def tick(self, now: float) -> list[Command]:
        """Return all commands that follow from the events so far, and set `wake_at`."""
        if now >= self._sweep_at or (self._sweep_more and not self.outbox.full):
            self._sweep_at = now + SWEEP_EVERY
            self.settlement.sweep(now)
            self._sweep_more = self.outbox.full
        if not self._stopping:
            self.settlement.parking.delay_more(now)
        self.wake_at = self._sweep_at
        self.quota.bursts.advance(now)
        if self.quota.recover(now):
            self._unrecorded = True
        if not self._stopping:
            self.wake_at = min(self.wake_at, self._sealing.log_in(now), self._sealing.seal(now))
        commands: list[Command] = []
        if self._committing is None and self._dirty:
            commands.append(self._commit(now))
        return commands + self._questions(now) + self._intake.steer()

    def _questions(self, now: float) -> list[Command]:
        """Return what the contact store is asked now."""
        reservations, seal = self.settlement.reservations, self._sealing.contact_seal
        self.wake_at = min(self.wake_at, reservations.wake_at())
        questions = reservations.next_question(now), seal.take_command()
        return [question for question in questions if question is not None]

    @property
    def _dirty(self) -> bool:
        return bool(self.outbox) or bool(self._sealing.starting) or self._unrecorded

    def _commit(self, now: float) -> Commit:
        commit = Commit(self.checkpoint(now), *self.outbox.take())
        self._committing, self._sealing.starting = self._sealing.starting, []
        self._unrecorded = False
        return commit

    def checkpoint(self, now: float) -> Checkpoint:
        """Return the lane's whole state. A login in progress counts as answered at its latest."""
        logins = [self.quota.latest_arrival(now + self.commit_seconds)] * self.accounts.logging_in()
        return Checkpoint(
            lane=self.settings.name,
            topic_id=self._topic_id,
            base=self.settled.base,
            done=self.settled.packed(),
            in_flight=[*self._in_doubt, *self._sealing.intents.values()],
            permit_log=[*self.limiter.stamps(now), *logins],
            permit_log_reach=self.quota.log_reach,
            quota=self.limiter.known(now, logins),
            unknown_until=max(0.0, self.limiter.unknown_until),
            at=now,
            config_version=self.settings.config_version,
            closed_until=min(max(0.0, self.limiter.closed_until), LAST_MOMENT),
            limits_part=self.quota_backoff.quota_fraction,
            limits_since=self.quota_backoff.since,
            tried=self.outbox.attempts.packed(self.settled.base),
            owners=self._owners,
            bursts=self.quota.bursts.known(now),
        )

    # -- display ------------------------------------------------------------------------------

    def snapshot(self, now: float, log_end: int = 0) -> LaneSnapshot:
        """Return the lane's picture. `log_end`: the log's end, as far as it is known. Each call is
        a reading of the drain forecast, which takes about one a second. It counts offsets, because
        these are known before their records are read."""
        settled, arrived = self.settled.settled_in_all, max(log_end, self.settled.settled_in_all)
        self._forecast.observe(now, settled, arrived, arrived - settled)
        beside = self._unsettled_beside_windows()
        vendors = {campaign.vendor for campaign in self.settings.campaigns.values()}
        return LaneSnapshot(
            self.settings.name,
            now,
            {
                name: self._campaign(window, beside[name], now)
                for name, window in self.windows.items()
            },
            frozenset(self.settings.campaigns),
            [self.accounts.snapshot(vendor) for vendor in sorted(vendors)],
            self.quota.snapshot(now),
            tuple(self.in_flight.values()),
            self.buffer.buffered,
            self.buffer.buffered_bytes,
            self.buffer.read_plan.spilled,
            self.settled.span,
            max(0, log_end - self.settled.base),
            self._forecast.drain_seconds,
            self.paused,
            self.settlement.reservations.count,
        )

    def campaign_snapshot(self, campaign: str, now: float) -> CampaignSnapshot:
        """Return the part of the picture that one of its windows is."""
        beside = self._unsettled_beside_windows()
        return self._campaign(self.windows[campaign], beside[campaign], now)

    def _campaign(self, window: Window, beside: int, now: float) -> CampaignSnapshot:
        waiting = window.count + self.buffer.read_plan.counts[window.campaign]
        return CampaignSnapshot(
            waiting,
            now - window.oldest if window.count else 0.0,
            window.parked_until > now,
            self._circuit(window.campaign, waiting + beside, now),
            waiting + beside,
            window.parked_at,
            window.parked_until,
        )

    def _circuit(self, campaign: str, unsettled: int, now: float) -> CampaignCircuit:
        known = self.settings.campaigns.get(campaign)
        if known is None or self.settlement.parking.is_parked(campaign, now):
            return CampaignCircuit.PARKED
        own = self.accounts.campaigns.get(campaign)
        if own is None or own.closed:
            return CampaignCircuit.CLOSED
        if not unsettled:
            return CampaignCircuit.EMPTY
        account = self.accounts.snapshot(known.vendor)
        if account.credentials_refused or account.circuit_open:
            return CampaignCircuit.ACCOUNT
        return CampaignCircuit.OPEN

    def _unsettled_beside_windows(self) -> Counter[str]:
        """Return campaign → invitations in calls, trials and bisections."""
        beside = Counter(trial.campaign for trial in self.settlement.trials if trial.ready)
        for bisection in self.settlement.bisections:
            beside[bisection.campaign] += len(bisection.suspect) + len(bisection.unknown)
        for batch in self.in_flight.values():
            beside[batch.campaign] += len(batch.invitations)
        return beside
