"""Hold back: which invitations may not be called now, and what becomes of them.

The rules before a survey are asked when an invitation is read, before its call and before a retry
(`consumer/policy`). A refused invitation ends; one that is paused, not due yet, or in its
customer's quiet hours goes to the delay topics, so that a night costs no memory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from consumer.lane.buffer.buffer import InvitationBuffer
from consumer.lane.settlement.outbox import Outbox
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.results import NO_CALL, CallFacts
from consumer.policy.pauses import Pauses
from consumer.policy.route_timing import HeldBack
from consumer.policy.rules import Rule, first_refusal
from consumer.records.result import Reason, Status

WHOLE = ""
"""Stands for all routes of a campaign."""

PAUSED_FOR = 3600.0
"""Seconds for which an invitation that a command paused is delayed, again and again. It returns at
a resume, and a pause of days must not pass a million invitations round every ten minutes."""


@dataclass(slots=True)
class HoldBack:
    """Asks the rules for waiting invitations, and ends or delays those that are held back."""

    _buffer: InvitationBuffer
    _outbox: Outbox
    pauses: Pauses = field(default_factory=Pauses)
    """What an operator paused by command."""

    def at_intake(self, pending: PendingInvitation, now: float) -> HeldBack | None:
        """Return why an invitation that was read may not wait for a call; None if it may."""
        return self._held_back(self._buffer.settings.policy.at_intake, pending, now)

    def at_sealing(self, pending: PendingInvitation, now: float) -> HeldBack | None:
        """Return why an invitation may not be called now; None if it may."""
        settings = self._buffer.settings
        held = self._held_back(settings.policy.at_sealing, pending, now)
        if held is None and settings.is_in_shadow(pending.route, made_so=pending.shadow):
            return HeldBack(Reason.SHADOW)
        return held

    def refusal(self, pending: PendingInvitation, now: float) -> Reason | None:
        """Return why an invitation ends now; None if it is called or waits."""
        held = self.at_sealing(pending, now)
        return None if held is None else held.reason

    def dismiss(
        self, pending: PendingInvitation, held: HeldBack, now: float, facts: CallFacts = NO_CALL
    ) -> None:
        """End or delay an invitation that was in the buffer."""
        self._buffer.forget(pending)
        self.turn_away(pending, held, now, facts)

    def turn_away(
        self, pending: PendingInvitation, held: HeldBack, now: float, facts: CallFacts = NO_CALL
    ) -> None:
        """End or delay an invitation that is not in the buffer."""
        if held.reason is not None:
            self._outbox.end(pending, held.reason, facts, held.details)
        else:
            seconds = None if held.until is None else held.until - now
            self._outbox.delay(pending, now, seconds, held.details.get("rule", ""))

    def paused_parts(self) -> Mapping[str, Collection[str]]:
        """Return campaign → its routes that are paused, by config or command; a campaign that is
        paused as a whole has `WHOLE`."""
        settings = self._buffer.settings
        timings, by_command = settings.routes, self.pauses.routes
        return {
            name: {WHOLE}
            if campaign.paused or self.pauses.holds_campaign(name, campaign.vendor)
            else {
                route
                for route in campaign.routes
                if route in by_command or (route in timings and timings[route].paused)
            }
            for name, campaign in settings.campaigns.items()
        }

    def resumed_since(self, before: Mapping[str, Collection[str]]) -> list[str]:
        """Return the campaigns of which some part was paused and may go now: their delayed
        invitations need not wait any longer. `before`: `paused_parts` of then."""
        now = self.paused_parts()
        return [
            name
            for name, parts in before.items()
            if WHOLE not in now.get(name, (WHOLE,)) and set(parts).difference(now[name])
        ]

    def _held_back(
        self, rules: tuple[Rule, ...], pending: PendingInvitation, now: float
    ) -> HeldBack | None:
        settings = self._buffer.settings
        reason = first_refusal(rules, pending, now)
        if reason is not None:
            return self._refused(pending, reason)
        if self._is_paused_by_config(pending):
            return HeldBack()  # tried again soon: a restart with another config returns nothing
        if self._is_paused_by_command(pending):
            return HeldBack(until=now + PAUSED_FOR)
        if pending.eligible_from > now:
            return HeldBack(until=pending.eligible_from)
        timing = settings.timing_of(pending.route)
        if timing is None:
            return None
        return timing.quiet(now, pending.zone, pending.recipient, pending.expires_at)

    def _refused(self, pending: PendingInvitation, reason: Reason) -> HeldBack:
        """Say what an invitation that expired was waiting for."""
        if reason.status is Status.EXPIRED and self._is_paused(pending):
            return HeldBack(Reason.EXPIRED_PAUSED)
        if reason.status is Status.EXPIRED and pending.waits_for:
            return HeldBack(Reason.EXPIRED_AT_LIMIT, details={"rule": pending.waits_for})
        return HeldBack(reason)

    def _is_paused(self, pending: PendingInvitation) -> bool:
        return self._is_paused_by_config(pending) or self._is_paused_by_command(pending)

    def _is_paused_by_config(self, pending: PendingInvitation) -> bool:
        settings = self._buffer.settings
        campaign = settings.campaigns.get(pending.campaign)
        if campaign is not None and campaign.paused:
            return True
        timing = settings.timing_of(pending.route)
        return timing is not None and timing.paused

    def _is_paused_by_command(self, pending: PendingInvitation) -> bool:
        if not self.pauses:
            return False
        campaign = self._buffer.settings.campaigns.get(pending.campaign)
        vendor = campaign.vendor if campaign else ""
        return self.pauses.holds(pending.route, pending.campaign, vendor)
