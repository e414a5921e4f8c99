"""What a lane would say of an invitation when it is due, by the lane's own rules before a call."""

from __future__ import annotations

from consumer.config.models import Config
from consumer.lane.buffer.buffer import InvitationBuffer
from consumer.lane.offsets.attempts import Attempts
from consumer.lane.offsets.settled import SettledOffsets
from consumer.lane.settlement.hold_back import HoldBack
from consumer.lane.settlement.outbox import Outbox
from consumer.lane.state.pending import PendingInvitation
from consumer.policy.route_timing import HeldBack
from consumer.routing.routed import EncodedInvitation
from consumer.wiring.build import lane_settings


def held_back(config: Config, invitation: EncodedInvitation, now: float) -> HeldBack | None:
    """Return why a lane would not call an invitation at its due time, or now if that has passed."""
    pending = PendingInvitation.read(0, invitation.value, now)
    buffer = InvitationBuffer(lane_settings(config, invitation.lane), SettledOffsets(0))
    rules = HoldBack(buffer, Outbox(buffer, Attempts()))
    return rules.at_sealing(pending, max(now, pending.eligible_from))
