"""Parking: campaigns that cannot be called soon, and their way to the delay topics.

The vendor cannot use a parked campaign (`Window.parked_until`), and the config does not know an
unknown one. Their invitations are delayed, as many as a commit has room for, the rest by later
commits (`delay_more`). Invitations that return from the delay topics probe the campaign again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from consumer.lane.account.accounts import Accounts
from consumer.lane.buffer.buffer import InvitationBuffer
from consumer.lane.buffer.window import Window
from consumer.lane.settlement.answered_call import AnsweredCall
from consumer.lane.settlement.bisections import Bisections
from consumer.lane.settlement.outbox import Outbox
from consumer.lane.settlement.trials import Trials
from consumer.lane.state.delay_steps import near_end


@dataclass(slots=True)
class Parking:
    """Parks campaigns, delays their invitations, and lets campaigns be called again."""

    _buffer: InvitationBuffer
    _outbox: Outbox
    _accounts: Accounts
    _bisections: Bisections
    _trials: Trials
    _leaving: dict[str, None] = field(default_factory=dict)
    """Campaigns of which a commit had no room for all invitations."""

    def is_parked(self, campaign: str, now: float) -> bool:
        """Return whether the campaign cannot be called soon: it is parked or unknown."""
        known = campaign in self._buffer.settings.campaigns
        return not known or self._buffer.window(campaign).is_parked(now)

    def park(self, window: Window, call: AnsweredCall, *, counted: bool = False) -> None:
        """Park a campaign because of a call's answer, unless the campaign was resumed after the
        call was sealed. `counted`: this failure was recorded before."""
        self._accounts.campaigns[window.campaign].alone.clear()
        if call.batch.sealed_at >= window.resumed_at:
            window.park(call.at, counted=counted)
            self.delay_campaign(window.campaign, call.at)

    def delay_campaign(self, campaign: str, now: float) -> None:
        """Delay all invitations of a campaign that cannot be called soon."""
        self._bisections.dissolve(lambda bisection: bisection.campaign == campaign)
        self._trials.acquit(lambda trial: trial.campaign == campaign)
        self._delay_window(self._buffer.window(campaign), now)

    def delay_parked(self, campaigns: Iterable[str], now: float) -> None:
        """Delay all invitations of those of the campaigns that cannot be called soon."""
        for campaign in campaigns:
            if self.is_parked(campaign, now):
                self.delay_campaign(campaign, now)

    def delay_more(self, now: float) -> None:
        """Continue to delay windows that were too large for one commit."""
        for campaign in list(self._leaving):
            if self._outbox.full:
                return
            del self._leaving[campaign]
            if self.is_parked(campaign, now):
                self._delay_window(self._buffer.window(campaign), now)

    def retry_campaign(self, campaign: str, now: float) -> None:
        """End the pauses of a campaign and of its account, and have it take the next permit. An
        open breaker starts again with one customer and the short pauses."""
        window = self._buffer.windows.get(campaign)
        if window is None:
            return
        window.resume(now, urgent=True)
        known = self._buffer.settings.campaigns.get(campaign)
        if known is not None:
            self._accounts.retry(known.vendor, campaign, now)
        for trial in self._trials:
            if trial.campaign == campaign:
                trial.not_before = min(trial.not_before, now)

    def _delay_window(self, window: Window, now: float) -> None:
        room = self._outbox.room
        going = window.drop_some(lambda pending: not near_end(pending.expires_at, now), room)
        for pending in going:
            self._buffer.forget(pending)
            self._outbox.delay(pending, now)
        if len(going) == room:
            self._leaving[window.campaign] = None
