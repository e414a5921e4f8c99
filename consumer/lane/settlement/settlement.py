"""Settlement: an answer leads to results, a retry, a bisection, a trial or a parked campaign.

    accepted, rejected     results; of an accepted call, rejected for the recipients that it names
    no clear answer        results `unknown`; a retry if the campaign says `in_doubt: resend`
    trouble                retry with backoff, while attempts are left
    refused for some       a bisection finds the bad recipients (`bisections`)
    recipient
    refused, no cause      all wait again. If refused once more, though others of the campaign were
                           accepted: a bisection. A customer refused alone: a trial (`trials`)
    campaign unusable      the campaign is parked (`parking`)

`Outcome` says which of these. If different customers of a campaign are refused alone, none is
accepted, and other campaigns' calls are, the campaign is unusable, too.

Invariant: each invitation of an answered call is afterwards in exactly one of outbox, window,
bisection and trials. Cost: linear in the call's invitations.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from consumer.lane.account.accounts import Accounts
from consumer.lane.account.circuit_breaker import full_jitter
from consumer.lane.buffer.buffer import InvitationBuffer
from consumer.lane.buffer.window import Window
from consumer.lane.quota.backoff import QuotaBackoff
from consumer.lane.settlement.answered_call import AnsweredCall
from consumer.lane.settlement.bisection import Bisection
from consumer.lane.settlement.bisections import Bisections
from consumer.lane.settlement.fitness import Fitness
from consumer.lane.settlement.hold_back import HoldBack
from consumer.lane.settlement.named_failures import end_named
from consumer.lane.settlement.outbox import Outbox
from consumer.lane.settlement.parking import Parking
from consumer.lane.settlement.reservations import Reservations
from consumer.lane.settlement.trials import Trial, Trials
from consumer.lane.state.pending import PendingInvitation
from consumer.records.call import Verdict
from consumer.records.result import Reason


class Settlement:
    """Decides about the invitations of answered calls. Its parts decide about those that wait."""

    def __init__(
        self,
        buffer: InvitationBuffer,
        outbox: Outbox,
        accounts: Accounts,
        quota_backoff: QuotaBackoff,
        rng: random.Random,
    ) -> None:
        self.hold_back = HoldBack(buffer, outbox)
        self.reservations = Reservations(buffer, self.hold_back)
        self.fitness = Fitness(buffer, outbox, self.hold_back)
        self.trials = Trials(buffer, outbox, accounts, self.fitness, rng)
        self.bisections = Bisections(buffer, outbox, accounts, self.fitness)
        self.parking = Parking(buffer, outbox, accounts, self.bisections, self.trials)
        self._buffer = buffer
        self._outbox = outbox
        self._accounts = accounts
        self._quota_backoff = quota_backoff
        self._rng = rng

    @property
    def delayed(self) -> int:
        """How many invitations the next commit delays."""
        return len(self._outbox.delayed)

    def delays_enough(self, before: int) -> bool:
        """Return whether so many were delayed, beyond those of before, that the rest waits for
        another commit: a night or a pause begins for a whole window at once."""
        return self.delayed - before >= self._outbox.commit_size

    def settle_call(self, call: AnsweredCall, part_of: Bisection | Trial | None) -> None:
        """Settle an answered call: of a whole batch, of a part of a divided one, or of a trial."""
        batch, outcome = call.batch, call.outcome
        if outcome.unbuilt:
            self._settle_unbuilt(call, part_of)
            return
        if outcome.failed:
            call = end_named(call, self._outbox)
            batch = call.batch
            if isinstance(part_of, Bisection):
                part_of.part = list(batch.invitations)
        # A refused single customer counts: a failing vendor costs three of them, not all.
        several = isinstance(part_of, Bisection) and len(batch.invitations) > 1
        news = self._accounts.answered(
            batch,
            outcome,
            call.at,
            expected=several and (outcome.unattributed or outcome.relogin or outcome.divisible),
            trial=isinstance(part_of, Trial),
        )
        call = replace(call, news=news)
        if isinstance(part_of, Bisection):
            self._part_answered(part_of, call)
        elif part_of is None or self.trials.ends(part_of, call):
            self._whole_answered(call)
        self._update_campaigns(call)
        if self.parking.is_parked(batch.campaign, call.at):  # or the config dropped it
            self.parking.delay_campaign(batch.campaign, call.at)

    def put_back(self, campaign: str, invitations: Sequence[PendingInvitation]) -> None:
        """Have invitations wait for a call again that was chosen and did not leave."""
        self._buffer.window(campaign).extend(invitations)

    def sweep(self, now: float) -> None:
        """End waiting invitations that expired or no longer fit, up to the next commit's room."""
        self.fitness.end_refused(now)
        self.reservations.sweep(now, self._outbox.room)
        for bisection in self.bisections:
            self.bisections.end_unfit(bisection, now)
        for trial in self.trials:
            if trial.ready:
                self.trials.end_unfit(trial, now)

    def reconfigure(self) -> None:
        """Apply the new config's rules to bisections and trials."""
        known = self._buffer.settings.campaigns
        for search in (*self.bisections, *self.trials):
            search.rules = known.get(search.campaign, search.rules)

    def _settle_unbuilt(self, call: AnsweredCall, part_of: Bisection | Trial | None) -> None:
        """End the invitations that no call could be built from. Nothing was sent: the others wait
        for another call, and nothing follows for the account."""
        batch = call.batch
        self._accounts.unsent(batch)
        if isinstance(part_of, Trial):
            self.trials.remove(part_of)
        elif part_of is not None:
            part_of.end_part()
        window = self._buffer.window(batch.campaign)
        for pending in batch.invitations:
            if pending.offset in call.outcome.unbuilt:
                self._outbox.end_buffered(pending, Reason.NOT_BUILT, call.facts)
            else:
                window.add(pending)
        if isinstance(part_of, Bisection):
            self.bisections.carry_on(part_of)
        window.mark_changed()

    def _update_campaigns(self, call: AnsweredCall) -> None:
        """Apply what the answer says about the account and its campaigns."""
        vendor, news = call.batch.rules.vendor, call.news
        window = self._buffer.window(call.batch.campaign)
        if news.recovered:
            self._revive(vendor, call.at)
        elif not self._accounts.well(vendor):
            self.bisections.dissolve(lambda bisection: bisection.rules.vendor == vendor)
        if news.closed:
            window.recover(call.at)
        window.mark_changed()  # its probe ended
        if call.outcome.verdict is Verdict.ACCEPTED:
            self.trials.confirm(vendor, call.at)

    def _revive(self, vendor: str, at: float) -> None:
        """Clear the backoffs of an account that recovered. A campaign that had trouble of its own
        is probed with one customer first."""
        for name in self._accounts.suspects(vendor):
            self._accounts.campaigns[name].open_by_recovery(at)
        for window in self._buffer.windows_of(vendor):
            window.recover(at)

    def _whole_answered(self, call: AnsweredCall) -> None:
        batch, outcome = call.batch, call.outcome
        window = self._buffer.window(batch.campaign)
        if call.news.refused:
            self._whole_refused(call, window)
            return
        match call.verdict:
            case Verdict.ACCEPTED:
                self._end_accepted(call, window)
            case Verdict.REJECTED if outcome.divisible and len(batch.invitations) > 1:
                if self.bisections.has_room_for(batch):
                    self.bisections.divide(call, batch.invitations)
                else:
                    window.extend(batch.invitations)
            case Verdict.REJECTED:
                window.record_success()
                self._outbox.end_batch(call, Reason.VENDOR_REJECTED)
            case Verdict.IN_DOUBT:
                self._end_unanswered(call, window)
            case _:  # RETRY: with attempts left they wait for the next call
                self._put_back(call, window)
                if outcome.parked:
                    self.parking.park(window, call, counted=True)

    def _end_accepted(self, call: AnsweredCall, window: Window) -> None:
        window.record_success()
        self._quota_backoff.record_accepted()
        if call.outcome.link is None:
            self._outbox.end_batch(call, Reason.ACCEPTED)
        else:
            self._outbox.end_batch(call, Reason.LINK_MADE, {"link": call.outcome.link})

    def _end_unanswered(self, call: AnsweredCall, window: Window) -> None:
        self._outbox.end_batch(call, Reason.NO_ANSWER)
        self._pause(call, window)

    def _whole_refused(self, call: AnsweredCall, window: Window) -> None:
        """Handle a definite no without a cause: it counts no attempt, and other calls go first."""
        batch, vendor = call.batch, call.batch.rules.vendor
        if not self._accounts.well(vendor):
            window.extend(batch.invitations)
            return
        if len(batch.invitations) > 1:
            self._several_refused(call, window)
        else:
            self._one_refused(call, window)
        breaker = self._accounts.campaigns[batch.campaign]
        if breaker.accused and not window.is_parked(call.at):
            beside = self._buffer.windows_of(vendor)
            waiting = [other.campaign for other in beside if other is not window and other.ready]
            at_once = not self._accounts.testable(vendor, waiting)
            open_now = self._accounts.open_campaigns(vendor)
            pause = breaker.refusal_pause(self._rng, at_once=at_once, open_now=open_now)
            window.back_off(call.at + pause)

    def _several_refused(self, call: AnsweredCall, window: Window) -> None:
        batch, breaker = call.batch, self._accounts.campaigns[call.batch.campaign]
        offsets = [pending.offset for pending in batch.invitations]
        again, before = breaker.refused_again(offsets), breaker.accused
        breaker.refused_together(offsets, batch.sealed_at)
        if again and self.bisections.has_room_for(batch):
            breaker.accused = before  # a divided batch must not block other customers
            self.bisections.divide(call, batch.invitations, unattributed=True)
        else:
            window.extend(batch.invitations)

    def _one_refused(self, call: AnsweredCall, window: Window) -> None:
        batch, breaker = call.batch, self._accounts.campaigns[call.batch.campaign]
        breaker.refused_alone(batch.invitations[0].offset, batch.sealed_at)
        self.trials.add(call)
        before = window.failures > 0 and window.parked_until > 0
        if breaker.is_blamed(self._accounts.proved_at(batch.rules.vendor), before=before):
            self.parking.park(window, call)

    def _put_back(self, call: AnsweredCall, window: Window) -> None:
        """Have invitations wait for another call, and end those without attempts left."""
        batch, outcome = call.batch, call.outcome
        silent = outcome.verdict is Verdict.IN_DOUBT
        # A definite no of a failing campaign or account says nothing about its customers.
        counts = outcome.counts and (silent or call.news.was_well)
        again: list[PendingInvitation] = []
        ending: list[PendingInvitation] = []
        for pending in batch.invitations:
            pending.attempt += counts
            if pending.attempt >= batch.rules.max_attempts and counts:
                ending.append(pending)
            else:
                again.append(pending)
                if counts:
                    self._outbox.attempts.set_count(pending.offset, pending.attempt)
        several = outcome.divisible and len(ending) > 1
        if several and self._accounts.well(batch.rules.vendor):
            self.bisections.divide(call, ending)
        elif several:  # divided once the vendor recovers; until then probed one by one
            again += ending
        else:
            spent = Reason.NO_ANSWER if silent else Reason.ATTEMPTS_EXHAUSTED
            for pending in ending:
                self._outbox.end_buffered(pending, spent, call.facts)
        window.extend(again)
        if outcome.trouble or outcome.parked:
            self._back_off(call, window)

    def _back_off(self, call: AnsweredCall, window: Window) -> None:
        """Back off after trouble. A failing account has a pause of its own, for all its campaigns;
        so has a campaign."""
        batch = call.batch
        self._pause(call, window)
        if self._accounts.campaigns[batch.campaign].opened:
            return
        window.record_failure(batch.sealed_at, call.at)
        if self._accounts.well(batch.rules.vendor):
            window.back_off(call.at + full_jitter(window.failures, self._rng))

    def _pause(self, call: AnsweredCall, window: Window) -> None:
        if call.news.pause:
            window.back_off(max(window.not_before, call.at + call.news.pause))

    def _part_answered(self, bisection: Bisection, call: AnsweredCall) -> None:
        window, outcome = self._buffer.window(call.batch.campaign), call.outcome
        match call.verdict:
            case _ if call.news.refused:
                bisection.unattributed = True
                if bisection.record_refused():
                    self.trials.add(call)
            case Verdict.ACCEPTED:
                self._end_accepted(call, window)
                bisection.record_accepted()
            case Verdict.IN_DOUBT:
                self._end_unanswered(call, window)
                bisection.end_part()
            case Verdict.RETRY if outcome.trouble and not outcome.divisible:
                bisection.end_part()  # back in its window: its attempts count
                self._put_back(call, window)
            case Verdict.RETRY if not outcome.divisible:
                bisection.put_back_part()
                if outcome.parked:
                    self.parking.park(window, call)
            case _:
                if bisection.record_refused():
                    self._end_bad_recipient(bisection, call, window)
        if bisection.is_systematic and self.bisections.is_about_campaign(bisection):
            self.parking.park(window, call)
        self.bisections.carry_on(bisection)

    def _end_bad_recipient(self, bisection: Bisection, call: AnsweredCall, window: Window) -> None:
        if call.verdict is Verdict.REJECTED:
            self._outbox.end_batch(call, Reason.VENDOR_REJECTED)
        elif bisection.good:
            self._outbox.end_batch(call, Reason.ATTEMPTS_EXHAUSTED)
        else:  # trouble with all so far: perhaps the campaign's, and temporary
            window.extend(call.batch.invitations)
