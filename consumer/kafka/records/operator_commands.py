"""Operator commands to running processes, through the topic `<application_id>.commands`.

A command names the state that it ends: an offset, a silence. It is carried out only while the state
is unchanged, and only by the one process that owns the state. So a command may be read again after
a restart, by several processes or by a new owner, and still acts once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from confluent_kafka import Message
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

VALID_FOR = 900.0
"""Seconds for which a command may be carried out; later it lapses."""

AHEAD = 120.0
"""Seconds by which an operator's clock may be ahead."""

Name = Annotated[str, Field(min_length=1, max_length=249)]


class _Command(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    version: Annotated[int, Field(ge=1, le=1)] = 1
    id: Name
    at: Annotated[float, Field(gt=0, lt=1e11)]


class ResumeInput(_Command):
    """Go on reading: partition → its new offset, where the group's is still the one `seen`
    (-1: none) and the topic the one with this id."""

    command: Literal["resume_input"] = "resume_input"
    topic: Name
    topic_id: str | None = None
    seen: Mapping[int, Annotated[int, Field(ge=-1, lt=2**63)]]
    offsets: Mapping[int, Annotated[int, Field(ge=0, lt=2**63)]]


class ReopenLane(_Command):
    """End a lane's silence after a 429: the one that lasts until `closed_until`."""

    command: Literal["reopen_lane"] = "reopen_lane"
    lane: Name
    closed_until: Annotated[float, Field(ge=0, lt=1e11)]


class RetryCampaign(_Command):
    """Try a parked campaign now: one that was parked before the command was given.

    `delayed_only`: a lane's owner says so that has tried it already, at a reload; what is on the
    delay topics comes back, wherever the stage is that reads them.
    """

    command: Literal["retry_campaign"] = "retry_campaign"
    campaign: Name
    delayed_only: bool = False


Command = ResumeInput | ReopenLane | RetryCampaign

_reader: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="command")])


def dump(command: Command) -> bytes:
    """Return the record value of a command."""
    return command.model_dump_json().encode()


def command_of(message: Message) -> Command | None:
    """Return the command in a record; None for anything else. Raises nothing."""
    value = message.value()
    if not isinstance(value, bytes):
        return None
    try:
        return _reader.validate_json(value)
    except ValidationError:
        return None


def valid(command: Command, now: float) -> bool:
    """Return whether the command may still be carried out."""
    return -AHEAD <= now - command.at <= VALID_FOR
