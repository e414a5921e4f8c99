"""Hold back: which invitations may not be called now, and what becomes of them.

The rules before a survey are asked when an invitation is read, before its call and before a retry
(`consumer/policy`). A refused invitation ends; one that is paused, not due yet, or in its
customer's quiet hours goes to the delay topics, so that a night costs no memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from consumer.lane.buffer.buffer import InvitationBuffer
from consumer.lane.settlement.outbox import Outbox
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.results import NO_CALL, CallFacts
from consumer.policy.route_timing import HeldBack, Pauses
from consumer.policy.rules import Rule, first_refusal
from consumer.records.result import Reason, Status

_PAUSED = HeldBack()


@dataclass(slots=True)
class HoldBack:
    """Asks the rules for waiting invitations, and ends or delays those that are held back."""

    _buffer: InvitationBuffer
    _outbox: Outbox
    pauses: Pauses = field(default_factory=Pauses)

    def at_intake(self, pending: PendingInvitation, now: float) -> HeldBack | None:
        """Return why an invitation that was read may not wait for a call; None if it may."""
        return self._held_back(self._buffer.settings.policy.at_intake, pending, now)

    def at_sealing(self, pending: PendingInvitation, now: float) -> HeldBack | None:
        """Return why an invitation may not be called now; None if it may."""
        settings = self._buffer.settings
        held = self._held_back(settings.policy.at_sealing, pending, now)
        if held is None and settings.routes:
            route = settings.routes.get(pending.route)
            if route is not None and route.shadow:
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

    def _held_back(
        self, rules: tuple[Rule, ...], pending: PendingInvitation, now: float
    ) -> HeldBack | None:
        settings = self._buffer.settings
        reason = first_refusal(rules, pending, now)
        if reason is not None:
            return self._refused(pending, reason)
        if self._is_paused(pending):
            return _PAUSED
        if pending.eligible_from > now:
            return HeldBack(until=pending.eligible_from)
        timing = settings.routes.get(pending.route) if settings.routes else None
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
        settings = self._buffer.settings
        campaign = settings.campaigns.get(pending.campaign)
        if campaign is not None and campaign.paused:
            return True
        timing = settings.routes.get(pending.route) if settings.routes else None
        if timing is not None and timing.paused:
            return True
        vendor = campaign.vendor if campaign else ""
        return bool(self.pauses) and self.pauses.holds(pending.route, pending.campaign, vendor)
