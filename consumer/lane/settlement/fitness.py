"""Fitness: whether a waiting invitation may still be called, and still fits its campaign.

The rules before a survey (`consumer/policy`) are asked once more before a call. And the router made
the invitation under the config of that time: while it waited, a reload or restart may have given
its campaign another channel, vendor or address kind. A call for an invitation without an address of
the present kind would fail, or count as accepted and invite no customer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from msgspec import UNSET

from consumer.lane.buffer.buffer import InvitationBuffer
from consumer.lane.buffer.window import Window
from consumer.lane.settlement.hold_back import HoldBack
from consumer.lane.settlement.outbox import Outbox
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.results import NO_CALL, CallFacts
from consumer.lane.state.settings import LaneCampaign
from consumer.policy.route_timing import HeldBack
from consumer.records.channel import ChannelSpec
from consumer.records.invitation import Data, Invitation, Recipient
from consumer.records.result import Reason


@dataclass(frozen=True, slots=True)
class Fitness:
    """Checks waiting invitations, and ends those that no call may carry."""

    _buffer: InvitationBuffer
    _outbox: Outbox
    _hold_back: HoldBack

    def held_back(self, pending: PendingInvitation, now: float) -> HeldBack | None:
        """Return why no call may carry the invitation: by a rule, or its campaign's config."""
        held = self._hold_back.at_sealing(pending, now)
        campaign = self._buffer.settings.campaigns.get(pending.campaign)
        if held is not None or campaign is None:
            return held
        reason = self._unfit(pending, campaign)
        return None if reason is None else HeldBack(reason)

    def dismiss(
        self, pending: PendingInvitation, held: HeldBack, now: float, facts: CallFacts = NO_CALL
    ) -> None:
        """End or delay an invitation that was in the buffer."""
        self._hold_back.dismiss(pending, held, now, facts)

    def fit(
        self, taken: Sequence[PendingInvitation], window: Window, now: float
    ) -> list[PendingInvitation]:
        """Return the invitations that a call may carry, and end or delay the others. A second one
        for the same address waits again.

        The present config's router has given addresses of one kind one pseudonym each, and a
        window gives no two invitations of one pseudonym: then no address has to be read.
        """
        fresh, keys = list[PendingInvitation](), set[tuple[str, ...]]()
        campaign = self._buffer.settings.campaigns[window.campaign]
        kinds = sorted(campaign.spec.addresses) if campaign.spec else []
        distinct = len(kinds) <= 1 and all(map(self._checked, taken))
        for pending in taken:
            held, key = self._hold_back.at_sealing(pending, now), tuple[str, ...]()
            if held is None and campaign.spec and not distinct:
                reason = self._unfit(pending, campaign)
                held = HeldBack(reason) if reason is not None else None
                key = key_of(pending.address, kinds)
            if held is not None:
                self._hold_back.dismiss(pending, held, now)
            elif key and key in keys:
                window.add(pending)
            else:
                keys.add(key)
                fresh.append(pending)
        return fresh

    def end_refused(self, now: float) -> None:
        """End invitations of windows that a rule refuses, up to the next commit's room."""
        for window in self._buffer.windows.values():
            refused = window.drop_refused(self._hold_back.refusal, now, self._outbox.room)
            for pending, reason in refused:
                self._outbox.end_buffered(pending, reason)

    def _unfit(self, pending: PendingInvitation, campaign: LaneCampaign) -> Reason | None:
        """See `unfit`. The router checked an invitation by its own config: the present one."""
        return None if self._checked(pending) else unfit(pending.invitation, campaign)

    def _checked(self, pending: PendingInvitation) -> bool:
        return pending.checked_by == self._buffer.settings.config_version


def unfit(invitation: Invitation, campaign: LaneCampaign) -> Reason | None:
    """Return why the campaign, as configured now, cannot use this invitation; None if it can."""
    spec = campaign.spec
    if spec is None:
        return None
    if not (spec.anyone or any(invitation["address"].get(kind) for kind in spec.addresses)):
        return Reason.INVALID_RECIPIENT
    data = invitation["data"]
    lacks = any(not _text(data, name) for name in (*spec.required, *campaign.required))
    listed = all(choice.allows(data) for choice in spec.listed)
    return Reason.INVALID_DATA if lacks or not listed or not _shaped(data, spec) else None


def key_of(address: Recipient, kinds: Collection[str]) -> tuple[str, ...]:
    """Return the key by which a call distinguishes its recipients: its addresses of these kinds."""
    return tuple([text for kind in kinds if (text := getattr(address, kind)) is not UNSET])


def _text(data: Data, name: str) -> str:
    """Return what `key` or `map.key` holds, without outer blanks."""
    flat = data.get(name)
    if not isinstance(flat, str):
        first, _, inner = name.partition(".")
        entries = data.get(first)
        flat = entries.get(inner, "") if isinstance(entries, dict) else ""
    return flat.strip()


def _shaped(data: Data, spec: ChannelSpec) -> bool:
    """Return whether maps and texts are where the channel takes them."""
    flat, maps = spec.fields - spec.maps, spec.maps - spec.fields
    return not any(
        (name in flat and isinstance(value, dict)) or (name in maps and isinstance(value, str))
        for name, value in data.items()
    )
