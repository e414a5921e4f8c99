"""Fitness: whether a waiting invitation still fits its campaign.

The router made the invitation under the config of that time. While it waited, a reload or restart
may have given its campaign another channel, vendor or address kind. A call for an invitation
without an address of the present kind would fail, or count as accepted and invite no customer.
"""

from __future__ import annotations

from collections.abc import Collection

from consumer.lane.state.settings import LaneCampaign
from consumer.records.channel import ChannelSpec
from consumer.records.invitation import Address, Data, Invitation
from consumer.records.result import Reason


def unfit(invitation: Invitation, campaign: LaneCampaign) -> Reason | None:
    """Return why the campaign, as configured now, cannot use this invitation; None if it can."""
    spec = campaign.spec
    if spec is None:
        return None
    if not (spec.anyone or any(invitation["address"].get(kind) for kind in spec.addresses)):
        return Reason.INVALID_RECIPIENT
    data = invitation["data"]
    lacks = any(not _text(data, name) for name in (*spec.required, *campaign.required))
    listed = all(each.allows(data) for each in spec.listed)
    return Reason.INVALID_DATA if lacks or not listed or not _shaped(data, spec) else None


def key_of(address: Address, kinds: Collection[str]) -> tuple[str, ...]:
    """Return the key by which a call distinguishes its recipients."""
    return tuple(text for kind, text in sorted(address.items()) if kind in kinds)  # type: ignore[misc]


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
