"""The records that travel: event, invitation, batch, outcome, result, checkpoint.

Volume records (invitation, result) are `TypedDict`s: they are JSON documents, written by
orjson and validated by pydantic where they are read. All times in records are RFC 3339 in UTC;
all times in code are seconds since the epoch (`float`), except where a name says otherwise.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal, NotRequired

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    TypeAdapter,
)
from typing_extensions import TypedDict

RECORD_VERSION: Literal[1] = 1
"""Version of every record we write. A reader refuses a version it does not know."""

LAST_MOMENT = 253_402_300_799.0
"""9999-12-31T23:59:59Z in epoch seconds: no later time has a date."""

Moment = Annotated[float, Field(ge=0, le=LAST_MOMENT, allow_inf_nan=False)]
"""Epoch seconds in a record of ours."""

Expiry = Annotated[float, Field(ge=-LAST_MOMENT, le=2 * LAST_MOMENT, allow_inf_nan=False)]
"""An event's time and what a route adds to it, epoch seconds."""

Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Tries = Annotated[int, Field(ge=0, le=10**9)]
"""Less than a `Count` by more than any campaign adds."""

Position = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""A partition or an offset."""

Name = Annotated[str, StringConstraints(max_length=256)]
"""An id or a name in a record of ours; those of a config have 64 characters at most."""

MESSAGE_LIMIT = 200
"""Characters of a vendor's message that may travel: ten thousand results repeat it."""


class Status(StrEnum):
    """How an invitation ended. Final: there is one result per invitation."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why an invitation ended as it did: a closed list (docs/results.md is made from it)."""

    status: Status
    meaning: str

    def __new__(cls, value: str, status: Status, meaning: str) -> Reason:
        member = str.__new__(cls, value)
        member._value_ = value
        member.status = status
        member.meaning = meaning
        return member

    ACCEPTED = "accepted", Status.ACCEPTED, "The vendor took the call (not: delivered the survey)."
    LINK_MADE = (
        "link_made",
        Status.ACCEPTED,
        "A personalised link was made; the company's own sender delivers it.",
    )
    NO_RECIPIENT = (
        "no_recipient",
        Status.REJECTED,
        "The event has no address for any of the route's campaigns.",
    )
    INVALID_RECIPIENT = (
        "invalid_recipient",
        Status.REJECTED,
        "There is an address, but none that a campaign of the route can use.",
    )
    INVALID_DATA = (
        "invalid_data",
        Status.REJECTED,
        "A value that is needed is missing or unfit, or they are over 256 KiB (a link: 8,000).",
    )
    VENDOR_REJECTED = "vendor_rejected", Status.REJECTED, "The vendor refused the call for good."
    TOO_OLD = "too_old", Status.EXPIRED, "Past `expire_after` when it was routed."
    EXPIRED_WAITING = "expired_waiting", Status.EXPIRED, "Past `expire_after` while it waited."
    ATTEMPTS_EXHAUSTED = (
        "attempts_exhausted",
        Status.FAILED,
        "Every attempt was answered with trouble; the last answer is in the result.",
    )
    BISECT_SPENT = (
        "bisect_spent",
        Status.FAILED,
        "Called with somebody whom the vendor refuses; the calls to tell them apart were spent.",
    )
    NO_ANSWER = (
        "no_answer",
        Status.UNKNOWN,
        "Sent, but no clear answer came: the vendor may or may not have acted.",
    )
    OWNER_LOST = (
        "owner_lost",
        Status.UNKNOWN,
        "The process that sent it ended before it recorded the answer.",
    )
    NOT_BUILT = (
        "not_built",
        Status.FAILED,
        "No call could be built from it: a defect of the program, please report.",
    )
    LANE_CLOSED = (
        "lane_closed",
        Status.FAILED,
        "An operator closed the lane in which it waited (`survey-dispatcher lanes close`).",
    )


class DeadLetterReason(StrEnum):
    """Why a record could not be read at all: a closed list."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> DeadLetterReason:
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    EMPTY = "empty", "The record has no value (a tombstone)."
    TOO_LARGE = "too_large", "The value is longer than `max_event_bytes` of its input."
    NOT_JSON = "not_json", "The value is not one well-formed UTF-8 JSON document."
    NOT_OBJECT = "not_object", "The JSON document is not an object."
    NO_ID = "no_id", "The event's id is missing or null."
    BAD_ID = "bad_id", "The event's id is not 1 to 256 printable characters or an integer."
    NO_TIME = "no_time", "The event's time is missing or null."
    BAD_TIME = (
        "bad_time",
        "The event's time is not ISO 8601 with an offset, nor epoch time, or over a day ahead.",
    )
    BAD_INVITATION = "bad_invitation", "A record on a lane's topic is no invitation of ours."
    NO_INPUT = "no_input", "A replayed record does not say which input of the config it came from."
    INTERNAL = "internal_error", "Routing this record raised: a defect of ours, please report."


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
    RFC 3339. `attempt` (calls it was in) and `delays` (how often it was put off) are there when it
    comes back from the delay ladder, which it leaves at `due_at`. `resend_of` is the id of the
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
    attempt: NotRequired[Tries]
    delays: NotRequired[Tries]
    due_at: NotRequired[Moment]
    resend_of: NotRequired[Name]


InvitationReader: TypeAdapter[Invitation] = TypeAdapter(Invitation)


class Result(TypedDict):
    """One final record per invitation, keyed by event id.

    `resend_of`: this is the result of sending that invitation again, by an operator's decision.
    `link`: the personalised link of reason `link_made`; it may hold personal data. `fields`: names
    of what was missing or unfit before a call: keys of `data`, `phone`, `email`.
    """

    version: Literal[1]
    id: Name
    event_id: Name
    status: Status
    reason: Reason
    route: Name
    campaign: Name | None
    vendor: Name | None
    channel: Name | None
    batch: Name | None
    attempt: Count
    http_status: int | None
    vendor_code: str | None
    vendor_message: str | None
    recipient: Name | None
    event_time: Name
    routed_at: Name
    sent_at: Name | None
    answered_at: Name | None
    config_version: Name
    source: Source
    resend_of: NotRequired[Name]
    link: NotRequired[str]
    fields: NotRequired[list[str]]


ResultReader: TypeAdapter[Result] = TypeAdapter(Result)


class Channel(StrEnum):
    """How a survey reaches a customer; which vendor offers which is the vendor module's."""

    SMS = "sms"
    EMAIL = "email"
    PUSH = "push"
    INVITATION = "invitation"
    LINK = "link"

    @property
    def called(self) -> bool:
        """Whether the vendor is called at all: a link goes into the result, and nowhere else."""
        return self is not Channel.LINK


@dataclass(frozen=True, slots=True)
class Listed:
    """Where `values` has the text of the field `by`, `field` must be one of those listed there.

    It may be missing only where there is but one.
    """

    field: str
    by: str
    values: Mapping[str, frozenset[str]]

    def allows(self, data: Mapping[str, object]) -> bool:
        """Whether these flat fields fit."""
        listed = self.values.get(str(data.get(self.by)))
        value = data.get(self.field)
        return listed is None or (value in listed if value else len(listed) == 1)


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """What a vendor's channel needs of a recipient and may carry.

    `addresses`: the address kinds that can reach a recipient, any one of them is enough
    (and all that are valid travel). `anyone`: one without an address is reached, too. `fields`:
    flat keys of `data`; `maps`: keys of `data` that hold a map of free names; `required`: flat
    keys without which, or with nothing but spaces, the vendor refuses; `listed`: flat keys whose
    values are known.
    """

    addresses: tuple[Literal["phone", "email"], ...]
    fields: frozenset[str] = frozenset()
    maps: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    listed: tuple[Listed, ...] = ()
    anyone: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP request that a vendor module built: `path` is appended to the account's base URL."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response as a vendor module reads it; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Verdict(StrEnum):
    """What an answer means for every invitation of a call."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    RETRY = "retry"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the vendor's answer means.

    `counts`: this attempt counts against `max_attempts` (a 429 or our own expired token does not).
    `retry_after`: seconds the whole lane must stay silent (429). `relogin`: the token is refused.
    `parked`: the vendor cannot use this campaign as it is, whoever is invited. `refused`: the
    credentials seem refused. `gateway`: the answer is not the vendor's own (a firewall's, a
    proxy's). Both are a definite no, and a cause only in the light of other calls.
    `divisible`: some recipient is bad, nobody was invited, and a smaller call tells who.
    `unbuilt`: offsets of invitations from which no call could be built, so that nothing was sent.
    `vendor_time`: the vendor's own clock (its `Date`), epoch seconds. `hint`: what an operator is
    to check, in our own words; it decides nothing.
    """

    verdict: Verdict
    http_status: int | None = None
    code: str | None = None
    message: str | None = None
    counts: bool = True
    throttled: bool = False
    retry_after: float | None = None
    relogin: bool = False
    parked: bool = False
    refused: bool = False
    gateway: bool = False
    divisible: bool = False
    vendor_time: float | None = None
    unbuilt: frozenset[int] = frozenset()
    hint: str | None = field(default=None, compare=False)

    @property
    def trouble(self) -> bool:
        """The vendor is not well: its campaigns, permits and credentials may be."""
        waits = self.verdict in (Verdict.RETRY, Verdict.IN_DOUBT)
        told = self.throttled or self.relogin or self.parked or self.unattributed or self.unbuilt
        return waits and not told

    @property
    def unattributed(self) -> bool:
        """A definite no whose cause (account, campaign or recipient) only other calls can tell."""
        return self.refused or self.gateway


@dataclass(frozen=True, slots=True)
class Token:
    """A vendor's session: `value` never leaves the runtime, the lane knows only `expires_at`."""

    value: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be read, as it came: bytes, headers and where it stood.

    `unreadable` names what of it the Kafka client could not say.
    """

    reason: DeadLetterReason
    message: str
    source: Source
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    timestamp: int
    unreadable: str = ""


class InFlight(BaseModel):
    """A batch whose intent is recorded: bit i of `offsets` is offset `first + i`."""

    model_config = ConfigDict(extra="ignore")

    batch_id: Name
    campaign: Name
    attempt: Count
    sealed_at: Moment
    first: Position
    offsets: str


class Tried(BaseModel):
    """Invitations that wait for another call: bit i of `offsets` is offset `first + i`."""

    model_config = ConfigDict(extra="ignore")

    attempt: Count
    first: Position
    offsets: str


class Owner(BaseModel):
    """Who took the lane over, when (epoch seconds), and with which config."""

    model_config = ConfigDict(extra="ignore")

    instance: Name
    config_version: Name
    at: Moment


class LimitCalls(BaseModel):
    """What a checkpoint knows of one limit. `period` has the skew in it, `calls` are ours.

    `cells` counts the calls of a large limit by 512ths of its period, up to whose ends they are
    rounded: steps from cell to cell, each followed by the calls in it. Without them the limit goes
    by `permit_log`.
    """

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    calls: Annotated[int, Field(ge=1, le=10**12)]
    period: Annotated[float, Field(gt=0, le=10**15)]
    cells: tuple[Annotated[int, Field(ge=0, le=10**15)], ...] | None = None


class Checkpoint(BaseModel):
    """A lane's whole state in one record of its compacted checkpoint topic.

    `done` and all `offsets` are bitmaps, zlib, base64. `permit_log` holds the response
    times of calls, epoch seconds, of the last `permit_log_reach` seconds. `quota` has the writer's
    limits; calls before `unknown_until` may have been as many as they allow. `at` is the writer's
    clock. Nothing is called before `closed_until` (after a 429). Offsets below `base` are settled.
    `tried` has those that were in a call and wait for the next; `owners` the last owners, oldest
    first. `limits_part` of the limits is in use since `limits_since` (less than 1 after a 429).
    What an older version does not know it passes over.
    """

    model_config = ConfigDict(extra="ignore")

    version: Annotated[int, Field(ge=1, le=RECORD_VERSION)] = RECORD_VERSION
    lane: Name
    topic_id: Name | None
    base: Position
    done: str
    in_flight: Sequence[InFlight]
    permit_log: Sequence[Moment]
    permit_log_reach: Moment = 0.0
    quota: tuple[LimitCalls, ...] | None = None
    unknown_until: Moment = 0.0
    at: Moment = 0.0
    config_version: Name
    closed_until: Moment = 0.0
    limits_part: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0
    limits_since: Moment = 0.0
    tried: tuple[Tried, ...] = ()
    owners: tuple[Owner, ...] = ()
    _appended: float | None = PrivateAttr(None)

    @property
    def appended(self) -> float | None:
        """Kafka's time of its record, epoch seconds; of one that was read, if Kafka said it."""
        return self._appended

    @appended.setter
    def appended(self, at: float | None) -> None:
        self._appended = at


def rfc3339(when: float) -> str:
    """Epoch seconds → `2026-11-22T15:37:07.123Z`."""
    return dt.datetime.fromtimestamp(when, dt.UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
