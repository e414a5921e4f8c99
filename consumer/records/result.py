"""Result: how an invitation ended, one record on the results topic for each."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, NotRequired, Self

import orjson
from msgspec import Struct
from pydantic import TypeAdapter

from consumer.records.fields import Count, Name
from consumer.records.invitation import RuleFields, Source


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
    VENDOR_REJECTED = (
        "vendor_rejected",
        Status.REJECTED,
        "The vendor refused the call for good, or this recipient of a call that it took.",
    )
    TOO_OLD = "too_old", Status.EXPIRED, "Past `expire_after` when it was routed."
    EXPIRED_WAITING = "expired_waiting", Status.EXPIRED, "Past `expire_after` while it waited."
    EXPIRED_IN_QUIET_HOURS = (
        "expired_in_quiet_hours",
        Status.EXPIRED,
        "Past `expire_after` before its due time came: delay, set times or quiet hours.",
    )
    EXPIRED_AT_LIMIT = (
        "expired_at_limit",
        Status.EXPIRED,
        "Past `expire_after` before the contact rule `rule` had room (`at_limit: wait`).",
    )
    EXPIRED_PAUSED = (
        "expired_paused",
        Status.EXPIRED,
        "Past `expire_after` while its route, campaign, vendor or everything was paused.",
    )
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
    CONTACT_LIMIT = (
        "contact_limit",
        Status.SUPPRESSED,
        "A contact rule is full: the person was asked as often as `rule` allows.",
    )
    OUTRANKED = (
        "outranked",
        Status.SUPPRESSED,
        "An invitation of higher priority (`blocked_by`) took its place under a contact rule.",
    )
    COOLDOWN = "cooldown", Status.SUPPRESSED, "The person answered a survey lately."
    DUPLICATE = "duplicate", Status.SUPPRESSED, "Repeats `duplicate_of`, by `deduplicate`."
    EXCLUDED = "excluded", Status.SUPPRESSED, "`exclude` names the address or the event."
    OPTED_OUT = "opted_out", Status.SUPPRESSED, "The person wants no surveys."
    BOUNCED = "bounced", Status.SUPPRESSED, "The address is known not to exist."
    NO_CONSENT = (
        "no_consent",
        Status.SUPPRESSED,
        "The person did not agree to the channel of any campaign that could reach them.",
    )
    TOO_NEW = (
        "too_new",
        Status.SUPPRESSED,
        "A customer for less than `customer_since` says, or it is not known since when.",
    )
    OWN_RULE = (
        "own_rule",
        Status.SUPPRESSED,
        "A rule of a plugin held it back: `rule`.",
    )
    HOLDOUT = "holdout", Status.SUPPRESSED, "In the control group, which is never asked."
    NOT_SAMPLED = "not_sampled", Status.SUPPRESSED, "Not in the sample."
    PACE_MET = "pace_met", Status.SUPPRESSED, "The period's number of `pace` is reached."
    QUIET_HOURS = (
        "quiet_hours",
        Status.SUPPRESSED,
        "Due in quiet hours, which `at_quiet: drop` does not wait for.",
    )
    SHADOW = "shadow", Status.SUPPRESSED, "Of a route in `mode: shadow`: all but the call was done."
    ERASED = "erased", Status.SUPPRESSED, "An operator had the person forgotten while it waited."
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


class Result(RuleFields):
    """One final record per invitation, keyed by event id.

    `resend_of`: this is the result of sending that invitation again, by an operator's decision.
    `link`: the personalised link of reason `link_made`; it may hold personal data. `fields`: names
    of what was missing or unfit before a call: keys of `data`, `phone`, `email`. The keys from
    `due_at` on say which rule before a survey held it back; `RuleFields` are the invitation's.
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
    due_at: NotRequired[Name]
    rule: NotRequired[Name]
    eligible_at: NotRequired[Name]
    blocked_by: NotRequired[Name]
    duplicate_of: NotRequired[Name]
    vendor_reference: NotRequired[Name]


class EncodedResult(Struct, frozen=True, gc=False):
    """A result ready for its topic. `answered_at` (RFC 3339): None without a call. `traceparent`:
    the event's trace context, or empty."""

    id: str
    event_id: str
    answered_at: str | None
    value: bytes
    traceparent: str = ""

    @classmethod
    def of(cls, result: Result) -> Self:
        """Encode a result."""
        value, traceparent = orjson.dumps(result), result.get("traceparent", "")
        return cls(result["id"], result["event_id"], result["answered_at"], value, traceparent)


ResultReader: TypeAdapter[Result] = TypeAdapter(Result)
