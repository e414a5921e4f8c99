"""Settlement: an answer or an expiry leads to results, a retry, a bisection, a trial or a delay.

An answer settles the invitations of its call, returns them to their window, parks their campaign,
or divides them to find the bad recipients: `Outcome` says which of these, `bisection` says how.

A refusal that names no cause (`News.refused`) returns a call of several customers to its window. If
it is refused again, though the vendor accepted other customers of the campaign, it is divided. A
customer that is refused alone is put on trial (`trial`). If different customers of a campaign are
refused alone, none is accepted, and other campaigns' calls are, the campaign is parked.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import chain

from consumer.lane.account.accounts import Accounts, News
from consumer.lane.account.circuit_breaker import full_jitter
from consumer.lane.buffer.buffer import InvitationBuffer
from consumer.lane.buffer.window import Window
from consumer.lane.quota.backoff import QuotaBackoff
from consumer.lane.settlement.bisection import Bisection
from consumer.lane.settlement.fitness import key_of, unfit
from consumer.lane.settlement.outbox import Outbox
from consumer.lane.settlement.results import NO_CALL, CallFacts
from consumer.lane.settlement.trial import Trial
from consumer.lane.state.commands import Batch
from consumer.lane.state.delay_steps import near_end, wait_of
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneCampaign, LaneSettings
from consumer.policy.rules import first_refusal
from consumer.records.call import Outcome, Verdict
from consumer.records.result import Reason

MOST_BISECTIONS = 2
"""Refused batches of a campaign that are divided at a time, before its next one is called."""

MOST_MEMORY = 1 / 2
"""Share of the memory that bisections may take: their invitations cannot be evicted."""


class Settlement:
    """Ends, returns or delays invitations. `bisections`: refused batches that are divided.
    `trials`: customers whose calls were refused alone."""

    def __init__(
        self,
        shelf: InvitationBuffer,
        due: Outbox,
        accounts: Accounts,
        throttling: QuotaBackoff,
        rng: random.Random,
    ) -> None:
        self.bisections: list[Bisection] = []
        self.trials: list[Trial] = []
        self._buffer = shelf
        self._due = due
        self._accounts = accounts
        self._quota_backoff = throttling
        self._rng = rng
        self._told: list[Bisection] = []
        self._leaving: dict[str, None] = {}

    @property
    def _settings(self) -> LaneSettings:
        return self._buffer.settings

    def of_call(
        self,
        batch: Batch,
        part_of: Bisection | Trial | None,
        outcome: Outcome,
        facts: CallFacts,
        at: float,
    ) -> None:
        """Settle an answered call: of a whole batch, of a part of a divided one, or of a trial."""
        if outcome.unbuilt:
            self._unbuilt(batch, part_of, outcome, facts)
            return
        # A refused single customer counts: a failing vendor costs three of them, not all.
        several = isinstance(part_of, Bisection) and len(batch.invitations) > 1
        news = self._accounts.answered(
            batch,
            outcome,
            at,
            expected=several and (outcome.unattributed or outcome.relogin or outcome.divisible),
            trial=isinstance(part_of, Trial),
        )
        if isinstance(part_of, Trial):
            self._trial_answered(part_of, batch, outcome, news, facts, at)
        elif part_of is None:
            self._whole_answered(batch, outcome, news, facts, at)
        else:
            self._part_answered(part_of, batch, outcome, news, facts, at)
        self._follow_up(batch, news, outcome, at)
        if self.parked(batch.campaign, at):  # or the config dropped it
            self.drop_campaign(batch.campaign, at)

    def _unbuilt(
        self, batch: Batch, part_of: Bisection | Trial | None, outcome: Outcome, facts: CallFacts
    ) -> None:
        """End the invitations that no call could be built from. Nothing was sent: the others wait
        for another call, and nothing follows for the account."""
        self._accounts.unsent(batch)
        if isinstance(part_of, Trial):
            self.trials.remove(part_of)
        elif part_of is not None:
            part_of.gone()
        window = self._buffer.window(batch.campaign)
        for held in batch.invitations:
            if held.offset in outcome.unbuilt:
                self.end_held(held, Reason.NOT_BUILT, facts)
            else:
                window.add(held)
        if isinstance(part_of, Bisection):
            self._carry_on(part_of)
        window.mark_changed()

    def _follow_up(self, batch: Batch, news: News, outcome: Outcome, at: float) -> None:
        vendor, window = batch.rules.vendor, self._buffer.window(batch.campaign)
        if news.recovered:
            self._revive(vendor, at)
        elif not self._accounts.well(vendor):
            self._dissolve(lambda each: each.rules.vendor == vendor)
        if news.closed:
            window.recover(at)
        window.mark_changed()  # its probe ended
        if outcome.verdict is Verdict.ACCEPTED:
            self._confirm(vendor, at)

    def parked(self, campaign: str, now: float) -> bool:
        """Return whether the campaign cannot be called soon: the config does not know it, or the
        vendor cannot use it."""
        known = campaign in self._settings.campaigns
        return not known or self._buffer.window(campaign).is_parked(now)

    def reconfigure(self) -> None:
        """Apply the new config's rules to bisections and trials."""
        for bisection in self.bisections:
            known = self._settings.campaigns.get(bisection.campaign)
            bisection.rules = known or bisection.rules
        for trial in self.trials:
            trial.rules = self._settings.campaigns.get(trial.campaign, trial.rules)

    def sweep(self, now: float) -> None:
        """End invitations that expired while they waited, up to the next commit's room."""
        for window in self._buffer.windows.values():
            for held, reason in window.drop_refused(self._refusal, now, self._due.room):
                self.end_held(held, reason)
        for bisection in list(self.bisections):
            self.sweep_part(bisection, now)
        for trial in list(self.trials):
            if trial.ready:
                self.sweep_trial(trial, now)

    def sweep_trial(self, trial: Trial, now: float) -> None:
        """End a trial that expired or no longer fits, with the facts of its last call."""
        reason = self._over(trial.held, now)
        if reason is not None:
            self.trials.remove(trial)
            self.end_held(trial.held, reason, trial.facts)

    def fit(
        self, taken: Sequence[PendingInvitation], window: Window, now: float
    ) -> list[PendingInvitation]:
        """Return the invitations that a call may carry. One that a rule refuses, or that is unfit
        for its campaign's present config, ends here. A second one for the same address waits
        again."""
        fresh, keys = list[PendingInvitation](), set[tuple[str, ...]]()
        campaign = self._settings.campaigns[window.campaign]
        for held in taken:
            reason, key = self._refusal(held, now), tuple[str, ...]()
            if reason is None and campaign.spec:
                invitation = held.invitation  # parsed once: it takes 2 µs
                reason = unfit(invitation, campaign)
                key = key_of(invitation["address"], campaign.spec.addresses)
            if reason is not None:
                self.end_held(held, reason)
            elif key and key in keys:
                window.add(held)
            else:
                keys.add(key)
                fresh.append(held)
        return fresh

    def _refusal(self, held: PendingInvitation, now: float) -> Reason | None:
        return first_refusal(self._settings.policy.at_sealing, held, now)

    def _over(self, held: PendingInvitation, now: float) -> Reason | None:
        reason = self._refusal(held, now)
        campaign = self._settings.campaigns.get(held.campaign)
        if reason is None and campaign and campaign.spec:
            return unfit(held.invitation, campaign)
        return reason

    def sweep_part(self, bisection: Bisection, now: float) -> None:
        """End the waiting invitations of a bisection that expired or no longer fit."""
        asked = ((held.offset, self._over(held, now)) for held in bisection)
        over = {offset: reason for offset, reason in asked if reason is not None}
        for held in bisection.drop(lambda held: held.offset in over):
            self.end_held(held, over[held.offset])
        self._end_if_empty(bisection)

    def end_held(self, held: PendingInvitation, reason: Reason, facts: CallFacts = NO_CALL) -> None:
        """End an invitation that was in the buffer."""
        self._buffer.forget(held)
        self.end(held, reason, facts)

    def end(self, held: PendingInvitation, reason: Reason, facts: CallFacts = NO_CALL) -> None:
        """End an invitation that was never in the buffer."""
        self._due.end(held, reason, self._settings.campaigns.get(held.campaign), facts)

    def drop_campaign(self, campaign: str, now: float) -> None:
        """Delay all invitations of a campaign that cannot be called soon."""
        self._dissolve(lambda each: each.campaign == campaign)
        self.acquit(lambda trial: trial.campaign == campaign)
        self._put_off_all(self._buffer.window(campaign), now)

    def retry_campaign(self, campaign: str, now: float) -> None:
        """End the pauses of a campaign and of its account: it may get the next permit. An open
        breaker starts again with one customer and the short pauses."""
        window = self._buffer.windows.get(campaign)
        if window is None:
            return
        window.resume(now)
        known = self._settings.campaigns.get(campaign)
        if known is not None:
            self._accounts.retry(known.vendor, campaign, now)
        for trial in self.trials:
            if trial.campaign == campaign:
                trial.not_before = min(trial.not_before, now)

    def ended_bisections(self) -> list[Bisection]:
        """Return the bisections that ended since the last call of this."""
        told, self._told = self._told, []
        return told

    def acquit(self, which: Callable[[Trial], bool]) -> None:
        """End these trials: their invitations wait in their windows again."""
        for trial in [trial for trial in self.trials if trial.ready and which(trial)]:
            self.trials.remove(trial)
            self._buffer.window(trial.campaign).add(trial.held)

    def _whole_answered(
        self, batch: Batch, outcome: Outcome, news: News, facts: CallFacts, at: float
    ) -> None:
        window = self._buffer.window(batch.campaign)
        if news.refused:
            self._whole_refused(batch, window, facts, at)
            return
        match _verdict(batch, outcome):
            case Verdict.ACCEPTED:
                window.record_success()
                self._quota_backoff.accepted()
                self._settle(batch, Reason.ACCEPTED, facts)
            case Verdict.REJECTED if outcome.divisible and len(batch.invitations) > 1:
                if self._too_many(batch):
                    window.extend(batch.invitations)
                else:
                    self._divide(batch.rules, batch.invitations, facts)
            case Verdict.REJECTED:
                window.record_success()
                self._settle(batch, Reason.VENDOR_REJECTED, facts)
            case Verdict.IN_DOUBT:
                self._settle(batch, Reason.NO_ANSWER, facts)
                self._pause(window, news, at)
            case _:  # RETRY: with attempts left they wait for the next call
                self._put_back(batch, window, outcome, news, facts, at)
                if outcome.parked:
                    self._park(window, at, counted=True)

    def _whole_refused(self, batch: Batch, window: Window, facts: CallFacts, at: float) -> None:
        """Handle a definite no without a cause: it counts no attempt, and other calls go first."""
        vendor = batch.rules.vendor
        if not self._accounts.well(vendor):
            window.extend(batch.invitations)
            return
        if len(batch.invitations) > 1:
            self._several_refused(batch, window, facts)
        else:
            self._one_refused(batch, window, facts, at)
        own = self._accounts.campaigns[batch.campaign]
        if own.accused and not window.is_parked(at):
            at_once = not self._accounts.testable(vendor, self._waiting_beside(window))
            open_now = self._accounts.open_campaigns(vendor)
            pause = own.refusal_pause(self._rng, at_once=at_once, open_now=open_now)
            window.back_off(at + pause)

    def _several_refused(self, batch: Batch, window: Window, facts: CallFacts) -> None:
        own = self._accounts.campaigns[batch.campaign]
        offsets = [held.offset for held in batch.invitations]
        again, before = own.refused_again(offsets), own.accused
        own.refused_together(offsets, batch.sealed_at)
        if again and not self._too_many(batch):
            own.accused = before  # a divided batch must not block other customers
            self._divide(batch.rules, batch.invitations, facts, unattributed=True)
        else:
            window.extend(batch.invitations)

    def _one_refused(self, batch: Batch, window: Window, facts: CallFacts, at: float) -> None:
        own, (held,) = self._accounts.campaigns[batch.campaign], batch.invitations
        own.refused_alone(held.offset, batch.sealed_at)
        self._try(batch.rules, held, facts, batch.sealed_at, at)
        before = window.failures > 0 and window.parked_until > 0
        if own.is_blamed(self._accounts.proved_at(batch.rules.vendor), before=before):
            self._park(window, at)

    def _waiting_beside(self, window: Window) -> list[str]:
        """Return the other campaigns of the same account that have customers waiting."""
        known = self._settings.campaigns
        vendor = known[window.campaign].vendor if window.campaign in known else None
        return [
            name
            for name, other in self._buffer.windows.items()
            if other is not window
            and other.ready
            and name in known
            and known[name].vendor == vendor
        ]

    def _try(
        self,
        rules: LaneCampaign,
        held: PendingInvitation,
        facts: CallFacts,
        sealed_at: float,
        at: float,
    ) -> None:
        own = self._accounts.campaigns[held.campaign]
        first = own.together.get(held.offset, sealed_at)
        trial = Trial(rules, held, facts, first, sealed_at)
        self.trials.append(trial)
        self._pause_trial(trial, at)

    def _pause_trial(self, trial: Trial, at: float) -> None:
        """Pause a trial. The more trials or open campaigns there are, the longer: together they
        spend few permits."""
        campaigns = self._accounts.open_campaigns(trial.rules.vendor)
        trial.pause(at, self._rng, max(len(self.trials), campaigns))

    def _trial_answered(
        self,
        trial: Trial,
        batch: Batch,
        outcome: Outcome,
        news: News,
        facts: CallFacts,
        at: float,
    ) -> None:
        trial.under_way = False
        if news.refused:
            trial.refused(facts, batch.sealed_at)
            self._pause_trial(trial, at)
        elif outcome.throttled or outcome.relogin:
            trial.not_before = at
        else:
            self.trials.remove(trial)
            self._whole_answered(batch, outcome, news, facts, at)

    def _confirm(self, vendor: str, at: float) -> None:
        """Confirm trials by an accepted call: the account did not cause their earlier refusals."""
        proved_at = self._accounts.proved_at(vendor)
        for trial in [trial for trial in self.trials if trial.rules.vendor == vendor]:
            own = self._accounts.campaigns[trial.campaign]
            alone = own.alone.keys() <= {trial.held.offset}
            if alone and trial.confirm(proved_at, own.accepted_at, at):
                self.trials.remove(trial)
                trial.held.attempt += 1
                self.end_held(trial.held, Reason.VENDOR_REJECTED, trial.facts)

    def _put_back(
        self,
        batch: Batch,
        window: Window,
        outcome: Outcome,
        news: News,
        facts: CallFacts,
        at: float,
    ) -> None:
        limit = batch.rules.max_attempts
        silent = outcome.verdict is Verdict.IN_DOUBT
        spent = Reason.NO_ANSWER if silent else Reason.ATTEMPTS_EXHAUSTED
        # A definite no of a failing campaign or account says nothing about its customers.
        counts = outcome.counts and (silent or news.was_well)
        again: list[PendingInvitation] = []
        ending: list[PendingInvitation] = []
        for held in batch.invitations:
            held.attempt += counts
            if held.attempt >= limit and counts:
                ending.append(held)
            else:
                again.append(held)
                if counts:
                    self._due.attempts.set_count(held.offset, held.attempt)
        several = outcome.divisible and len(ending) > 1
        if several and self._accounts.well(batch.rules.vendor):
            self._divide(batch.rules, ending, facts)
        elif several:  # divided once the vendor recovers; until then probed one by one
            again += ending
        else:
            for held in ending:
                self.end_held(held, spent, facts)
        window.extend(again)
        if outcome.trouble or outcome.parked:
            self._back_off(batch, window, news, at)

    def _back_off(self, batch: Batch, window: Window, news: News, at: float) -> None:
        """Back off after trouble.

        A failing account has a pause of its own, for all its campaigns; so has a campaign.
        """
        self._pause(window, news, at)
        if self._accounts.campaigns[batch.campaign].opened:
            return
        window.record_failure(batch.sealed_at, at)
        if self._accounts.well(batch.rules.vendor):
            window.back_off(at + full_jitter(window.failures, self._rng))

    def _pause(self, window: Window, news: News, at: float) -> None:
        if news.pause:
            window.back_off(max(window.not_before, at + news.pause))

    def _settle(self, batch: Batch, reason: Reason, facts: CallFacts) -> None:
        """End every invitation of the batch alike."""
        self._due.end_all(batch.invitations, reason, batch.rules, facts)
        for held in batch.invitations:
            self._buffer.forget(held)

    def _park(self, window: Window, now: float, *, counted: bool = False) -> None:
        """Park a campaign that the vendor cannot use. Invitations that return from the delay topics
        probe it again."""
        self._dissolve(lambda each: each.campaign == window.campaign)
        self.acquit(lambda trial: trial.campaign == window.campaign)
        self._accounts.campaigns[window.campaign].alone.clear()
        window.park(now, counted=counted)
        self._put_off_all(window, now)

    def _put_off_all(self, window: Window, now: float) -> None:
        """Delay as many as the next commit has room for. Later commits carry the rest."""
        room = self._due.room
        going = window.drop_some(lambda held: not near_end(held.expires_at, now), room)
        for held in going:
            self._buffer.forget(held)
            self._due.delay(held, now, wait_of(held.delays))
        if len(going) == room:
            self._leaving[window.campaign] = None

    def put_off_more(self, now: float) -> None:
        """Continue to delay windows that were too large for one commit."""
        for campaign in list(self._leaving):
            if self._due.full:
                return
            del self._leaving[campaign]
            if self.parked(campaign, now):
                self._put_off_all(self._buffer.window(campaign), now)

    def _revive(self, vendor: str, at: float) -> None:
        """Clear the backoffs of an account that recovered. A campaign that had trouble of its own
        is probed with one customer first."""
        for name in self._accounts.suspects(vendor):
            self._accounts.campaigns[name].open_by_recovery(at)
        for window in self._buffer.windows.values():
            known = self._settings.campaigns.get(window.campaign)
            if known and known.vendor == vendor:
                window.recover(at)

    def _divide(
        self,
        rules: LaneCampaign,
        many: Sequence[PendingInvitation],
        facts: CallFacts,
        *,
        unattributed: bool = False,
    ) -> None:
        """Divide a batch with bad recipients: smaller calls find them."""
        now = self._settings.campaigns.get(rules.name, rules)
        bisection = Bisection(now, list(many), facts=facts, unattributed=unattributed)
        self.bisections.append(bisection)
        self._carry_on(bisection)

    def _too_many(self, batch: Batch) -> bool:
        """Return whether dividing this batch too would leave other campaigns too little memory. If
        so, it is called again as a whole, after the present bisections."""
        own = sum(each.campaign == batch.campaign for each in self.bisections)
        if own < MOST_BISECTIONS:
            return False
        sizes = [
            held.size for held in chain(chain.from_iterable(self.bisections), batch.invitations)
        ]
        bounds = self._settings
        return (
            len(sizes) > bounds.max_buffered * MOST_MEMORY
            or sum(sizes) > bounds.max_buffered_bytes * MOST_MEMORY
        )

    def _part_answered(
        self,
        bisection: Bisection,
        batch: Batch,
        outcome: Outcome,
        news: News,
        facts: CallFacts,
        at: float,
    ) -> None:
        window = self._buffer.window(batch.campaign)
        match _verdict(batch, outcome):
            case _ if news.refused:
                bisection.unattributed = True
                if bisection.refused():
                    self._try(batch.rules, batch.invitations[0], facts, batch.sealed_at, at)
            case Verdict.ACCEPTED:
                window.record_success()
                self._quota_backoff.accepted()
                self._settle(batch, Reason.ACCEPTED, facts)
                bisection.accepted()
            case Verdict.IN_DOUBT:
                self._settle(batch, Reason.NO_ANSWER, facts)
                bisection.gone()
                self._pause(window, news, at)
            case Verdict.RETRY if outcome.trouble and not outcome.divisible:
                bisection.gone()  # back in its window: its attempts count
                self._put_back(batch, window, outcome, news, facts, at)
            case Verdict.RETRY if not outcome.divisible:
                bisection.again()
                if outcome.parked:
                    self._systematic(bisection, at)
            case verdict:
                self._part_refused(bisection, batch, verdict, facts)
        if bisection.is_systematic and self._about_campaign(bisection):
            self._systematic(bisection, at)
        self._carry_on(bisection)

    def _part_refused(
        self, bisection: Bisection, batch: Batch, verdict: Verdict, facts: CallFacts
    ) -> None:
        if not bisection.refused():
            return
        if verdict is Verdict.REJECTED:
            self._settle(batch, Reason.VENDOR_REJECTED, facts)
        elif bisection.good:
            self._settle(batch, Reason.ATTEMPTS_EXHAUSTED, facts)
        else:  # trouble with all so far: perhaps the campaign's, and temporary
            self._buffer.window(batch.campaign).extend(batch.invitations)

    def _about_campaign(self, bisection: Bisection) -> bool:
        """Return whether the account is known to work, so that the refusals are the campaign's."""
        vendor = bisection.rules.vendor
        return not bisection.unattributed or self._accounts.passes(vendor, bisection.campaign)

    def _carry_on(self, bisection: Bisection) -> None:
        """Finish the bisection when no invitations or no calls remain."""
        if bisection.spent and not bisection.part:
            if self._about_campaign(bisection):
                for held in bisection.drop(lambda _each: True):
                    held.attempt += 1
                    self.end_held(held, Reason.BISECT_SPENT, bisection.facts)
            else:
                self._dissolve(lambda each: each is bisection)
        self._end_if_empty(bisection)

    def _systematic(self, bisection: Bisection, at: float) -> None:
        """Park the campaign: the refusals are about it, not about its recipients."""
        self._park(self._buffer.window(bisection.campaign), at)

    def _dissolve(self, which: Callable[[Bisection], bool]) -> None:
        """End these bisections: waiting invitations return to their windows."""
        for bisection in [each for each in self.bisections if which(each)]:
            self._buffer.window(bisection.campaign).extend(bisection.drop(lambda _each: True))
            self._end_if_empty(bisection)

    def _end_if_empty(self, bisection: Bisection) -> None:
        over = not bisection.part and not any(True for _ in bisection)
        if over and bisection in self.bisections:
            self.bisections.remove(bisection)
            self._told.append(bisection)


def _verdict(batch: Batch, outcome: Outcome) -> Verdict:
    if outcome.verdict is Verdict.IN_DOUBT and batch.rules.in_doubt == "resend":
        return Verdict.RETRY
    return outcome.verdict
