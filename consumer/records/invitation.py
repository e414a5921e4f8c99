"""Invitation: what the router writes to a lane's topic, one customer of one campaign.

A `TypedDict`, for there are many: orjson writes it and pydantic validates it where it is read.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from consumer.records.fields import AttemptCount, Expiry, Moment, Name, Position


class Source(TypedDict):
    """Where an event came from."""

    topic: Name
    partition: Position
    offset: Position


class Address(TypedDict, total=False):
    """Where a recipient is reached: the only personal data next to `data` in an invitation."""

    phone: str
    email: str


Data = dict[str, Annotated[str | dict[str, str], Field(union_mode="left_to_right")]]
"""The vendor's names → values: flat fields, or one level of maps (attributes, metadata)."""


class Invitation(TypedDict):
    """One recipient × one route: what the router makes and the sender settles.

    `expires_at` and `due_at` are epoch seconds, for the program compares them; the other times are
    RFC 3339. `attempt` (calls it was in) and `delays` (how often it was delayed) are there when it
    comes back from the delay topics, which it leaves at `due_at`. `resend_of` is the id of the
    invitation that an operator sent again.
    """

    version: Literal[1]
    id: Name
    event_id: Name
    event_time: Name
    routed_at: Name
    expires_at: Expiry | None
    route: Name
    campaign: Name
    pseudonym: Name
    address: Address
    data: Data
    config_version: Name
    source: Source
    attempt: NotRequired[AttemptCount]
    delays: NotRequired[AttemptCount]
    due_at: NotRequired[Moment]
    resend_of: NotRequired[Name]


InvitationReader: TypeAdapter[Invitation] = TypeAdapter(Invitation)
