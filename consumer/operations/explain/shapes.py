"""The parts of an explanation, as `--json` prints them. Times are RFC 3339."""

from __future__ import annotations

from typing import Any, Final, Literal, NotRequired

from typing_extensions import TypedDict

from consumer.records.fields import LAST_MOMENT, rfc3339
from consumer.records.invitation import Source

_FIRST_MOMENT: Final = -62_135_596_800.0
"""Epoch seconds at which the calendar begins."""

DecisionName = Literal[
    "invite", "suppressed", "rejected", "expired", "unmatched", "skipped", "dead_letter"
]


class RuleAnswer(TypedDict):
    """One rule. `holds`: null where that needs a contact history, which was not looked at.
    `eligible_at`: from when on it lets the survey, or another event of the customer,
    go, if only time keeps it from that. `campaign`: of rules that each campaign of `send` is asked
    for."""

    rule: str
    holds: bool | None
    detail: str
    eligible_at: str | None
    campaign: NotRequired[str]


def time_text(when: float) -> str:
    """Format epoch seconds of an event, which may be anything, as a time of the calendar."""
    return rfc3339(min(max(when, _FIRST_MOMENT), LAST_MOMENT))


def rule_answer(
    rule: str, holds: bool | None, detail: str, eligible_at: float | None = None, campaign: str = ""
) -> RuleAnswer:
    """Return one rule's answer; `eligible_at` is epoch seconds."""
    at = None if eligible_at is None else time_text(eligible_at)
    answer = RuleAnswer(rule=rule, holds=holds, detail=detail, eligible_at=at)
    if campaign:
        answer["campaign"] = campaign
    return answer


class ConditionAnswer(TypedDict):
    """One condition of a route. `missing`: the event has nothing at `path`, not even null.
    `alternatives`: of an `$or`, or an array's elements; one of them must hold as a whole."""

    path: str
    expected: Any
    found: Any
    missing: bool
    holds: bool
    alternatives: NotRequired[list[list[ConditionAnswer]]]


class RouteAnswer(TypedDict):
    """One route. `taken`: the event went this way. Of an input with `routes: first` only one is,
    even if others match."""

    route: str
    matched: bool
    taken: bool
    conditions: list[ConditionAnswer]


class AddressAnswer(TypedDict):
    """One address. `problem`: why it is not used."""

    given: Any
    normalised: Any
    problem: str | None


class CallAnswer(TypedDict):
    """A vendor's call with this invitation alone. `path` is appended to `base_url`."""

    vendor: str
    method: str
    path: str
    body: Any


class Decision(TypedDict):
    """What becomes of an event by one route. `fields`: names of what is missing or unfit. `due_at`:
    null is at once."""

    decision: DecisionName
    reason: str | None
    meaning: str
    fields: list[str]
    route: str | None
    campaign: str | None
    channel: str | None
    vendor: str | None
    due_at: str | None
    timezone: str | None
    timezone_from: str | None
    expires_at: str | None
    rules: list[RuleAnswer]
    recipient: dict[str, AddressAnswer] | None
    call: CallAnswer | None
    link: str | None


class EventAnswer(TypedDict):
    """The event's own id and time, null if they could not be read, and its place."""

    id: str | None
    time: str | None
    source: Source


class Explanation(Decision):
    """What becomes of an event. `also`: by further routes, where the input takes all that match.
    `routes_left_out`: routes that are further from matching than those listed. `at`: the time as of
    which the rules were asked."""

    at: str
    event: EventAnswer
    masked: bool
    also: list[Decision]
    routes: list[RouteAnswer]
    routes_left_out: int
