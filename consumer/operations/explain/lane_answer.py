"""An invitation as its lane has it when it is due."""

from __future__ import annotations

from consumer.config.models import Config
from consumer.lane.buffer.buffer import InvitationBuffer
from consumer.lane.offsets.attempts import Attempts
from consumer.lane.offsets.settled import SettledOffsets
from consumer.lane.settlement.hold_back import HoldBack
from consumer.lane.settlement.outbox import Outbox
from consumer.lane.state.pending import PendingInvitation
from consumer.policy.contacts.request import Request
from consumer.policy.route_timing import HeldBack
from consumer.routing.routed import EncodedInvitation
from consumer.wiring.build import lane_settings
from consumer.wiring.contacts import contact_request, route_contacts


class DueInvitation:
    """An invitation at its due time, or `now` if that has passed."""

    def __init__(self, config: Config, invitation: EncodedInvitation, now: float) -> None:
        self._config = config
        self._settings = lane_settings(config, invitation.lane)
        self._pending = PendingInvitation.read(0, invitation.value, now)
        self._due = max(now, self._pending.eligible_from)

    def held_back(self) -> HeldBack | None:
        """Return why the lane would not call it then, by the lane's own rules."""
        buffer = InvitationBuffer(self._settings, SettledOffsets(0))
        rules = HoldBack(buffer, Outbox(buffer, Attempts()))
        return rules.at_sealing(self._pending, self._due)

    def contact_request(self) -> Request:
        """Return what the lane would ask the contact book."""
        campaign = self._settings.campaigns.get(self._pending.campaign)
        return contact_request(self._pending, campaign, route_contacts(self._config))
