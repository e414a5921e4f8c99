"""Result: how an invitation ended, one record on the results topic for each."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, NotRequired, Self

import orjson
from msgspec import Struct
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from consumer.records.fields import Count, Name
from consumer.records.invitation import Source


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
        "Called with a customer that the vendor refuses; the calls to tell them apart were spent.",
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


class EncodedResult(Struct, frozen=True, gc=False):
    """A result ready for its topic. `answered_at` (RFC 3339): None without a call."""

    id: str
    event_id: str
    answered_at: str | None
    value: bytes

    @classmethod
    def of(cls, result: Result) -> Self:
        """Encode a result."""
        return cls(result["id"], result["event_id"], result["answered_at"], orjson.dumps(result))


ResultReader: TypeAdapter[Result] = TypeAdapter(Result)
