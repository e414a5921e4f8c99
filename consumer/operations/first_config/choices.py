"""The choices of a first config: vendor, channel, input topic and region of phone numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from consumer.records.channel import Channel
from consumer.vendors.registry import OWN_VENDORS

TOPIC: Final = "pos.transaction-completed"
APPLICATION: Final = "surveys"


@dataclass(frozen=True, slots=True)
class Choices:
    """What a first config is made for. `region`: of phone numbers without a country code, two
    capital letters; None where none are called."""

    vendor: str
    channel: str
    topic: str = TOPIC
    region: str | None = None
    application: str = APPLICATION


def vendors() -> tuple[str, ...]:
    """Return the types of vendors that have a template: the program's own."""
    return tuple(OWN_VENDORS)


def channels(vendor: str) -> tuple[str, ...]:
    """Return the channels of a vendor that make calls, the usual one first."""
    return tuple(channel.value for channel in OWN_VENDORS[vendor].channels if channel.called)


def needs_region(channel: str) -> bool:
    """Tell whether phone numbers are called by a channel."""
    return channel != Channel.EMAIL
