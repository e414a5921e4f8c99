"""A candidate: under which identities its person is known, and what decides by chance."""

from __future__ import annotations

import datetime as dt
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.records.input_record import InputRecord
from consumer.routing.candidate import ANY_TIME, RouteCandidate
from consumer.routing.decoding.decode import Event
from consumer.routing.decoding.times import TimeReader
from consumer.routing.expressions import compile_value
from consumer.routing.patterns.pattern import compile_pattern
from consumer.routing.person import HOUSEHOLD, NO_PERSON, NUMBER, PersonReader
from consumer.routing.recipients.recipients import PhoneNormaliser, normalise_email
from consumer.routing.route import Getter, Normaliser, Reach, Route

PHONE, EMAIL = "+905321234567", "ada@example.com"
KNOWN = PersonReader(
    [(NUMBER, compile_value("id")), (HOUSEHOLD, compile_value("home"))],
    [
        (compile_value("mail"), normalise_email),
        (compile_value("mobile"), PhoneNormaliser("TR")),
    ],
)
RECIPIENT: dict[str, tuple[Getter, Normaliser]] = {
    "phone": (compile_value("phone"), PhoneNormaliser("TR")),
    "email": (compile_value("email"), normalise_email),
}


def candidate(
    body: dict[str, Any], reader: PersonReader = KNOWN, times: TimeReader = ANY_TIME
) -> RouteCandidate:
    raw = orjson.dumps(body)
    event = Event(orjson.loads(raw), "e1", 1_763_800_000.0, "", raw)
    route = Route("store", compile_pattern({}), RECIPIENT, [])
    reach = Reach(route, event.body)
    record = InputRecord("pos", 3, 7, raw)
    return RouteCandidate(record, event, route, "", None, reach, reader, times)


@pytest.mark.parametrize(
    ("body", "identities"),
    [
        ({"id": 7, "home": "h1", "mail": EMAIL, "mobile": "0532 123 45 67"}, None),
        ({"id": " 7 ", "phone": PHONE}, ["id:7", PHONE]),
        ({"phone": "0532 123 45 67", "mobile": PHONE}, [PHONE]),
        ({"phone": PHONE, "email": "Ada@Example.COM", "mail": EMAIL}, None),
        ({"id": "", "home": " ", "mail": "", "phone": None}, []),
        ({"id": None, "mail": "no address", "mobile": [], "email": 7}, []),
        ({"id": True}, ["id:true"]),
    ],
)
def test_a_person_has_each_identity_once_its_number_first(
    body: dict[str, Any], identities: list[str] | None
) -> None:
    found = candidate(body).identities()
    if identities is not None:
        assert found == identities
    assert len(set(found)) == len(found)
    assert found == sorted(found, key=lambda text: not text.startswith(NUMBER))


def test_identities_of_all_kinds_are_in_the_order_of_their_worth() -> None:
    body = {"id": 7, "home": "h1", "mail": "b@example.com", "mobile": "0533 765 43 21"}
    made = candidate({**body, "phone": PHONE, "email": EMAIL})
    expected = ["id:7", "household:h1", "b@example.com", "+905337654321", PHONE, EMAIL]
    assert made.identities() == expected
    assert made.identities() is made.identities()
    assert made.chance_key("person") == "id:7"


def test_a_number_keeps_its_digits() -> None:
    """As a double two customers would be one."""
    raw = b'{"id": 12345678901234567890123, "home": 7.10}'
    event = Event(orjson.loads(raw), "e1", 0.0, "", raw)
    route = Route("store", compile_pattern({}), {}, [])
    made = RouteCandidate(
        InputRecord("pos", 0, 0, raw), event, route, "", None, Reach(route, event.body), KNOWN
    )
    assert made.identities() == ["id:12345678901234567890123", "household:7.10"]


@pytest.mark.parametrize("reader", [KNOWN, NO_PERSON])
def test_an_event_without_a_person_is_decided_by_its_own_id(reader: PersonReader) -> None:
    assert candidate({"id": None}, reader).chance_key("person") == "e1"
    assert candidate({"phone": PHONE}, NO_PERSON).chance_key("person") == PHONE


def test_chance_by_event_or_by_value() -> None:
    made = candidate({"id": 7, "store": {"id": 12}})
    assert made.chance_key("event") == "e1"
    assert made.chance_key(compile_value("store.id")) == "12"
    assert made.chance_key(compile_value("store.none")) == "e1"


@given(st.dictionaries(st.sampled_from(["id", "home", "mail", "phone"]), st.text(max_size=9)))
def test_no_event_raises(body: dict[str, str]) -> None:
    made = candidate(body)
    assert all(made.identities())
    assert made.chance_key("person")


AT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2026-03-01T12:00:00Z", AT),
        ("2026-03-01T15:00:00+03:00", AT),
        (int(AT), AT),
        (int(AT) * 1000, AT),
        ("2026-03-01", AT + 12 * 3600),
        ("2026-02-30", None),
        ("2026-03-01T12:00:00", None),
        ("1.3.2026", None),
        (None, None),
        (True, None),
        ([2026], None),
    ],
)
def test_a_time_is_read_as_the_inputs_own_and_a_date_is_its_end(
    written: object, time: float | None
) -> None:
    assert candidate({"at": written}).time_at(compile_value("at")) == time


def test_a_local_time_is_read_in_the_inputs_zone() -> None:
    made = candidate({"at": "2026-03-01T15:00:00"}, times=TimeReader(zone="Europe/Istanbul"))
    assert made.time_at(compile_value("at")) == AT


def test_the_invitations_id_is_that_of_its_place_and_route() -> None:
    assert candidate({}).invitation_id == "f8b57607cca6766253113f30af8d47da"


def test_a_rule_reads_the_recipients_address() -> None:
    made = candidate({"phone": PHONE, "mail": "no address"})
    assert (made.address("phone"), made.address("email")) == (PHONE, None)
