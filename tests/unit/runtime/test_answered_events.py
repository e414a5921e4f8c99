"""`--skip-answered`: what has its result is left out, wherever its event stands on a mirror."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import orjson
import pytest

from consumer.records.result import Result
from consumer.routing.routed import EncodedInvitation, Routed
from consumer.runtime.router import answered_events
from consumer.runtime.router.answered_events import AnsweredEvents
from tests.support.lanes import NOW, invitation, written

TOPIC = "surveys.results"


class Record:
    """A record of the results topic."""

    def __init__(self, value: bytes | None) -> None:
        self._value = value

    def value(self) -> bytes | None:
        return self._value


def result(number: int, **changes: str | None) -> dict[str, Any]:
    made = invitation(number, f"k1:{number}", "sms")
    keys = {"event_id": made["event_id"], "route": "store", "recipient": f"k1:{number}"}
    return keys | {"status": "accepted"} | changes


def loaded(monkeypatch: pytest.MonkeyPatch, *values: bytes | None) -> AnsweredEvents:
    """What knows these records; those before `since` are not among them."""
    asked: list[float] = []

    @contextmanager
    def reader(_group: str) -> Iterator[None]:
        yield None

    def range_of(self: AnsweredEvents, _reader: object, _topic: str) -> tuple[Any, Any]:
        asked.append(self._since)
        return {}, {}

    monkeypatch.setattr(AnsweredEvents, "_range", range_of)
    monkeypatch.setattr(answered_events, "LogScan", lambda *_: list(map(Record, values)))
    clients = cast("Any", type("Clients", (), {"reader": staticmethod(reader)}))
    made, beats = AnsweredEvents(NOW), list[None]()
    made.load(clients, TOPIC, lambda: beats.append(None))
    made.load(clients, TOPIC, lambda: beats.append(None))
    assert (len(beats), asked) == (len(values), [NOW])  # read once
    return made


def made_of(number: int, **changes: object) -> EncodedInvitation:
    value = written(number, "sms", data="", pseudonym=f"k1:{number}", **changes).value
    return EncodedInvitation("cloud", "sms", f"k1:{number}", value, "pos")


def test_invitations_and_results_that_exist_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    no_address = result(3, recipient=None)
    prefixed = b"\0\0\0\0\7" + orjson.dumps(result(2))
    found = loaded(monkeypatch, orjson.dumps(result(1)), prefixed, orjson.dumps(no_address))
    routed = Routed(
        [made_of(1, id="of another offset"), made_of(2), made_of(4)],
        [cast("Result", no_address), cast("Result", result(5, recipient=None))],
    )
    found.leave_out(routed)
    assert [made.key for made in routed.invitations] == ["k1:4"]
    assert [made["event_id"] for made in routed.results] == ["e5"]


@pytest.mark.parametrize(
    "other", [{"event_id": "e9"}, {"route": "web"}, {"recipient": "k1:9"}], ids=str
)
def test_result_of_another_event_route_or_recipient_leaves_nothing_out(
    monkeypatch: pytest.MonkeyPatch, other: dict[str, str]
) -> None:
    found = loaded(monkeypatch, orjson.dumps(result(1, **other)))
    routed = Routed([made_of(1)])
    found.leave_out(routed)
    assert len(routed.invitations) == 1


def test_records_that_are_no_results_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    found = loaded(monkeypatch, None, b"{", b"[]", orjson.dumps(result(1)))
    routed = Routed([made_of(1)])
    found.leave_out(routed)
    assert routed.invitations == []


def test_second_copy_of_a_record_is_left_out_once_the_first_is_committed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A transaction that failed leaves its records to be routed again."""
    found = loaded(monkeypatch)
    aborted, again, second = (
        Routed([made_of(1), made_of(1)]),
        Routed([made_of(1)]),
        Routed([made_of(1)]),
    )
    found.leave_out(aborted)
    assert len(aborted.invitations) == 1
    found.leave_out(again)
    assert len(again.invitations) == 1
    found.committed(again)
    found.leave_out(second)
    assert second.invitations == []
