"""Uploaded rows: the route that a row names takes it, with all its rules."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord
from consumer.records.result import Reason
from consumer.routing.routed import Routed
from consumer.routing.router import OTHER_TOPIC, Router
from tests.unit.routing.test_router import (
    AT,
    NOW,
    PHONE,
    TIME,
    make_router,
    only_invitation,
    only_result,
    rule,
)

ROW_ID = "0123456789abcdef0123456789abcdef"
UPLOADS = "surveys.uploads"
DAY = 86_400.0
ROUTER = make_router(rule(policy={"expire_after": "3d"}), rule("other", send=["email"]))


def row(**changes: object) -> bytes:
    sound = {
        "version": 1,
        "route": "store",
        "id": ROW_ID,
        "time": TIME,
        "event": {"customer": {"phone": PHONE}},
    }
    return orjson.dumps(sound | changes)


def route(value: bytes | None, router: Router = ROUTER, at: int = 7, now: float = NOW) -> Routed:
    return router.route([InputRecord(UPLOADS, 0, at, value)], now)


def reason_of(routed: Routed) -> DeadLetterReason:
    (letter,) = routed.dead_letters
    assert (routed.invitations, routed.results) == ([], [])
    assert routed.counts == {(UPLOADS, "dead_letter", letter.reason): 1}
    return letter.reason


def test_a_row_goes_to_the_route_that_it_names_whatever_that_matches() -> None:
    """The route matches `channel: pos`, which the row does not have."""
    made = only_invitation(route(row()))
    assert (made["route"], made["campaign"], made["address"]) == ("store", "sms", {"phone": PHONE})
    assert (made["event_id"], made["event_time"], made["event_at"]) == (ROW_ID, TIME, AT)
    assert made["expires_at"] == AT + 3 * DAY
    assert made["source"] == {"topic": UPLOADS, "partition": 0, "offset": 7}
    assert "eligible_from" not in made


def test_a_row_names_a_route_that_is_not_the_first_that_could_take_it() -> None:
    customer = {"customer": {"email": "ada@example.com", "phone": PHONE}}
    assert only_invitation(route(row(route="other", event=customer)))["campaign"] == "email"


def test_a_row_has_one_invitation_id_wherever_it_stands() -> None:
    """The same row on the topic twice makes the same invitation; another row or route does not."""
    ids = [
        only_invitation(made)["id"]
        for made in (
            route(row()),
            route(row(time="2026-11-22T15:30:00Z"), at=8),
            route(row(id=ROW_ID[::-1])),
            route(row(route="other", event={"customer": {"email": "ada@example.com"}})),
        )
    ]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_a_row_obeys_the_routes_rules() -> None:
    assert only_result(route(row(), now=AT + 4 * DAY))["reason"] == Reason.TOO_OLD
    assert only_result(route(row(event={})))["reason"] == Reason.NO_RECIPIENT


def test_a_row_waits_for_its_time_and_expires_after_it() -> None:
    due = NOW + 2 * DAY
    routed = route(row(not_before=due))
    assert only_invitation(routed)["eligible_from"] == due
    assert routed.invitations[0].due_at == due


def test_a_rules_delay_counts_from_the_time_that_a_row_waits_for() -> None:
    router = make_router(rule(policy={"expire_after": "9d", "delay": "1h"}))
    due = NOW + 2 * DAY
    assert only_invitation(route(row(not_before=due), router))["eligible_from"] == due + 3600
    assert only_invitation(route(row(), router))["eligible_from"] == AT + 3600


def test_a_row_that_expires_before_its_time_ends() -> None:
    """Its own time, from a column, is days before what it is told to wait for."""
    result = only_result(route(row(not_before=NOW + 4 * DAY)))
    assert result["reason"] == Reason.EXPIRED_IN_QUIET_HOURS


def test_a_row_may_be_of_the_time_that_it_waits_for() -> None:
    waits = {"time": "2026-12-20T09:00:00+03:00", "not_before": NOW + 27.5 * DAY}
    only_invitation(route(row(**waits)))
    assert reason_of(route(row(time=waits["time"]))) is DeadLetterReason.BAD_TIME


def test_a_row_of_a_route_that_the_config_lacks_is_a_dead_letter_without_the_name() -> None:
    routed = route(row(route="+905321234567"))
    assert reason_of(routed) is DeadLetterReason.NO_ROUTE
    assert "905" not in routed.dead_letters[0].message


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": 2}, DeadLetterReason.BAD_UPLOAD),
        ({"id": "row 7"}, DeadLetterReason.BAD_UPLOAD),
        ({"id": None}, DeadLetterReason.BAD_UPLOAD),
        ({"route": ""}, DeadLetterReason.BAD_UPLOAD),
        ({"event": []}, DeadLetterReason.BAD_UPLOAD),
        ({"not_before": -1}, DeadLetterReason.BAD_UPLOAD),
        ({"not_before": NOW + 92 * DAY}, DeadLetterReason.BAD_UPLOAD),
        ({"time": "yesterday"}, DeadLetterReason.BAD_TIME),
        ({"time": "2026-11-22T15:37:07"}, DeadLetterReason.BAD_TIME),
    ],
)
def test_a_record_that_is_no_row_is_a_dead_letter(
    changes: dict[str, Any], reason: DeadLetterReason
) -> None:
    routed = route(row(**changes))
    assert reason_of(routed) is reason
    assert "yesterday" not in routed.dead_letters[0].message


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_bytes_that_are_no_row_are_a_dead_letter(value: bytes | None) -> None:
    assert reason_of(route(value)) is DeadLetterReason.BAD_UPLOAD


def test_without_uploads_the_topic_is_no_input() -> None:
    router = Router(ROUTER.inputs, ROUTER._endings, ROUTER.policy)
    routed = route(row(), router)
    assert [letter.reason for letter in routed.dead_letters] == [DeadLetterReason.NO_INPUT]
    assert router.label_of(UPLOADS) == OTHER_TOPIC
    assert ROUTER.label_of(UPLOADS) == UPLOADS


@given(
    st.dictionaries(
        st.sampled_from(["route", "id", "time", "event", "not_before", "version"]),
        st.none() | st.text(max_size=9) | st.floats(allow_nan=False) | st.integers(),
    )
)
def test_no_row_raises(changes: dict[str, Any]) -> None:
    finite = {key: each for key, each in changes.items() if each not in (math.inf, -math.inf)}
    routed = route(row(**finite) if all(_fits(each) for each in finite.values()) else b"")
    assert len(routed.invitations) + len(routed.results) + len(routed.dead_letters) == 1
    assert all(letter.reason is not DeadLetterReason.INTERNAL for letter in routed.dead_letters)


def _fits(value: object) -> bool:
    return not isinstance(value, int) or abs(value) < 2**63
