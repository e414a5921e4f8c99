"""Invitation: what the router writes to a lane's topic, one customer of one campaign.

An invitation is encoded once. In version 2 the head, by which the lane decides, is a few scalars;
the parts for the call and for the result are JSON already and are copied, not parsed:

    {"version": 2, "campaign": …, "pseudonym": …, "expires_at": …, …    the head
     "address": {…}, "data": {…},                                       for the call
     "result": {"id": …, "event_id": …, "route": …, …}}                 for the result

Version 1 had the keys of `result` in the head. `Invitation` is the flat view of both versions, for
code that is in no hurry; `encode_invitation` writes it as version 2.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, NotRequired

import msgspec
import orjson
from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from consumer.records.fields import (
    HIGHEST_PRIORITY,
    LAST_MOMENT,
    LONGEST_NAME,
    MOST_ATTEMPTS,
    USUAL_PRIORITY,
    AttemptCount,
    Expiry,
    Moment,
    Name,
    Position,
    Priority,
)

INVITATION_VERSION: Literal[2] = 2


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


class _Head(TypedDict):
    """What both versions have at the top. `expires_at`, `event_at` (that is `event_time`) and
    `due_at` are epoch seconds, for the program compares them; the other times are RFC 3339.

    `due_at` is when the delay topics give the record back. `eligible_from` is the customer's due
    time, epoch seconds: when delay and quiet hours let the survey be sent. It never moves; without
    it the invitation was due when it was routed. `zone` is the customer's time zone. `shadow`:
    its route was in `mode: shadow`, which counts where the config has the route no more."""

    expires_at: Expiry | None
    campaign: Name
    pseudonym: Name
    address: Address
    data: Data
    attempt: NotRequired[AttemptCount]
    delays: NotRequired[AttemptCount]
    due_at: NotRequired[Moment]
    eligible_from: NotRequired[Moment]
    zone: NotRequired[Name]
    priority: NotRequired[Priority]
    waits_for: NotRequired[Name]
    shadow: NotRequired[bool]


class RuleFields(TypedDict):
    """What the rules before a survey found: a key is there only where a rule asked for it. `event`:
    what `results.fields` chose of the event. `traceparent`: its trace context, with `tracing`."""

    traceparent: NotRequired[Name]
    event: NotRequired[dict[str, str | None]]
    timezone: NotRequired[Name]
    timezone_from: NotRequired[str]
    bucket: NotRequired[float]
    tags: NotRequired[list[Name]]
    person: NotRequired[list[Name]]
    keys: NotRequired[dict[str, str | None]]
    redirected: NotRequired[bool]
    contact: NotRequired[Literal["exempt", "off"]]


class ResultPart(RuleFields):
    """What an invitation's result repeats of it."""

    id: Name
    event_id: Name
    route: Name
    event_time: Name
    routed_at: Name
    config_version: Name
    source: Source
    resend_of: NotRequired[Name]


class Invitation(_Head, ResultPart):
    """The flat view: one recipient × one route, what the router makes and the sender settles.

    `attempt` (calls it was in) and `delays` (how often it was delayed) are there when it comes back
    from the delay topics, which it leaves at `due_at`. `resend_of` is the id of the invitation that
    an operator sent again.
    """

    version: Literal[1, 2]
    event_at: NotRequired[Expiry | None]


class InvitationRecord(_Head):
    """One recipient × one route: what the router makes and the sender settles.

    `expires_at`, `event_at` and `due_at` are epoch seconds, for the program compares them; the
    other times are RFC 3339. `attempt` (calls it was in) and `delays` (how often it was delayed)
    are there when it comes back from the delay topics, which it leaves at `due_at`.
    """

    version: Literal[2]
    event_at: Expiry | None
    result: ResultPart


InvitationReader: TypeAdapter[Invitation] = TypeAdapter(Invitation)
RecordReader: TypeAdapter[InvitationRecord] = TypeAdapter(InvitationRecord)

_OF_RESULT: Final = frozenset(ResultPart.__annotations__)


def encode_invitation(invitation: Invitation) -> bytes:
    """Return the record of an invitation, with its later keys."""
    result: dict[str, object] = {
        key: value for key, value in invitation.items() if key in _OF_RESULT
    }
    source = invitation["source"]
    result["source"] = {key: source[key] for key in ("topic", "partition", "offset")}
    head = {key: value for key, value in invitation.items() if key not in _OF_RESULT}
    head.setdefault("event_at", _epoch_seconds(invitation["event_time"]))
    return orjson.dumps({**head, "version": INVITATION_VERSION, "result": result})


def _epoch_seconds(text: str) -> float | None:
    """Return a time of version 1, or None if it is none: only measurements need it.

    RFC 3339 allows lower-case `t` and `z`, `fromisoformat` does not."""
    try:
        when = datetime.fromisoformat(text.upper()).timestamp()
    except (ValueError, OverflowError):
        return None
    return when if abs(when) <= LAST_MOMENT else None


def flat_invitation(record: dict[str, Any]) -> Invitation:
    """Return the flat view of a parsed record of version 2."""
    head = {key: value for key, value in record.items() if key != "result"}
    return {**head, **record["result"]}  # type: ignore[typeddict-item]  # it was checked to be one


def recount(
    value: bytes,
    attempt: int,
    delays: int | None = None,
    due_at: float = 0.0,
    waits_for: str = "",
) -> bytes:
    """Return a record with other counts; `delays` and `due_at`: on its way to a delay topic, where
    it waits for the contact rule `waits_for`, if any."""
    record: dict[str, object] = _TOP.decode(value)  # type: ignore[assignment]  # of JSON values
    record["attempt"] = attempt
    if delays is not None:
        record |= {"delays": delays, "due_at": due_at}
        record.pop("waits_for", None)
        if waits_for:
            record["waits_for"] = waits_for
    return msgspec.json.encode(record)


# -- decoders: a part is decoded where it is needed, the rest is skipped ---------------------------

_Name = Annotated[str, Meta(max_length=LONGEST_NAME)]
_Attempts = Annotated[int, Meta(ge=0, le=MOST_ATTEMPTS)]
_Position = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Expiry = Annotated[float, Meta(ge=-LAST_MOMENT, le=2 * LAST_MOMENT)]
_Moment = Annotated[float, Meta(ge=0, le=LAST_MOMENT)]
_Priority = Annotated[int, Meta(ge=0, le=HIGHEST_PRIORITY)]


class Recipient(Struct, gc=False):
    """The addresses of an invitation."""

    phone: str | UnsetType = UNSET
    email: str | UnsetType = UNSET


class _Source(Struct, gc=False, forbid_unknown_fields=True):
    topic: _Name
    partition: _Position
    offset: _Position


class _ResultPart(Struct, gc=False, forbid_unknown_fields=True):
    id: _Name
    event_id: _Name
    route: _Name
    event_time: _Name
    routed_at: _Name
    config_version: _Name
    source: _Source
    resend_of: _Name = ""
    timezone: _Name = ""
    timezone_from: str = ""
    bucket: float = 0.0
    tags: list[_Name] | UnsetType = UNSET  # a default of [] would be a new list for each record
    person: list[_Name] | UnsetType = UNSET
    keys: dict[str, str | None] | UnsetType = UNSET
    event: dict[str, str | None] | UnsetType = UNSET
    redirected: bool = False
    contact: Literal["obey", "exempt", "off"] = "obey"
    traceparent: _Name = ""


class InvitationHead(Struct, gc=False):
    """What the lane decides by. Decoding it checks the types and bounds of the other parts too,
    because they are copied as they are. Later keys are passed over."""

    version: Literal[2]
    campaign: _Name
    pseudonym: _Name
    expires_at: _Expiry | None
    event_at: _Expiry | None
    address: Recipient
    data: dict[str, str | dict[str, str]]
    result: _ResultPart
    attempt: _Attempts = 0
    delays: _Attempts = 0
    due_at: _Moment = 0.0
    eligible_from: _Moment = 0.0
    zone: _Name = ""
    priority: _Priority = USUAL_PRIORITY
    waits_for: _Name = ""
    shadow: bool = False


class _KnownRecipient(Recipient, gc=False, forbid_unknown_fields=True):
    """No other address."""


class _KnownHead(InvitationHead, gc=False, forbid_unknown_fields=True):
    """No later key: those are skipped, so their text and numbers are not checked."""

    address: _KnownRecipient


class CallParts(Struct, gc=False):
    """The parts of an invitation that its call carries, each value as JSON."""

    address: dict[str, Raw]
    data: dict[str, Raw]
    result: Raw

    @property
    def id(self) -> str:
        """The invitation's id, decoded at each access."""
        return decode_identity(self.result).id


class ResultParts(Struct, gc=False):
    """The part of an invitation that its result carries, as JSON."""

    result: Raw


class Identity(Struct, gc=False):
    """The keys of a result's record, and its trace context."""

    id: str
    event_id: str
    traceparent: str = ""


class ContactPart(Struct, gc=False):
    """What of an invitation's result part the contact book is asked by."""

    id: str
    routed_at: str
    resend_of: str = ""
    tags: list[str] = []
    person: list[str] = []
    keys: dict[str, str | None] = {}
    contact: Literal["obey", "exempt", "off"] = "obey"


class _Addressed(Struct, gc=False):
    address: Recipient


_TOP = msgspec.json.Decoder(dict[str, Raw])
decode_head = msgspec.json.Decoder(InvitationHead).decode
decode_known_head = msgspec.json.Decoder(_KnownHead).decode
decode_call_parts = msgspec.json.Decoder(CallParts).decode
decode_result_parts = msgspec.json.Decoder(ResultParts).decode
decode_identity = msgspec.json.Decoder(Identity).decode
decode_contact_part = msgspec.json.Decoder(ContactPart).decode
decode_recipient = msgspec.json.Decoder(_Addressed).decode
