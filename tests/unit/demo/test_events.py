"""Synthetic transactions: repeatable, of several kinds, and the router makes of them what is said.

They are checked against the demo's own routing config, for that is where they go.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from importlib import resources
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from consumer.config.load import load
from consumer.demo.contacts import HOUSEHOLDS, IMPOSSIBLE_PHONE
from consumer.demo.events import (
    STORES,
    SYNTHETIC_HOUSEHOLDS,
    THRESHOLD,
    TransactionEvent,
    customer,
    synthetic,
)
from consumer.policy.chance import bucket_of
from consumer.records.fields import rfc3339
from consumer.records.input_record import InputRecord
from consumer.routing.routed import Routed
from consumer.wiring.build import build_router, build_vendors

START = 1_795_000_000.0
TOPIC = "pos.transaction-completed"
READER: TypeAdapter[TransactionEvent] = TypeAdapter(TransactionEvent)


class Kind(StrEnum):
    """The outcome of a synthetic event under the example routes.

    They send "pos" from `THRESHOLD` on to `sms` or else `email`, and all of "visit" to `visit`,
    which either address can reach; 5 % of the customers are in the control group.
    """

    SMS = "sms"
    EMAIL = "email"
    VISIT = "visit"
    UNMATCHED = "unmatched"
    NO_RECIPIENT = "no_recipient"
    INVALID_RECIPIENT = "invalid_recipient"
    NOT_JSON = "not_json"
    HOLDOUT = "holdout"


def kind_of(value: bytes) -> Kind:
    try:
        event = orjson.loads(value)
    except orjson.JSONDecodeError:
        return Kind.NOT_JSON
    phone, email = (event["customer"].get(kind) for kind in ("phone", "email"))
    visit = event["channel"] == "visit"
    if event["amount"] < THRESHOLD and not visit:
        return Kind.UNMATCHED
    if bucket_of("control", f"id:{event['customer']['id']}") < 0.05:
        return Kind.HOLDOUT
    if phone == IMPOSSIBLE_PHONE or (phone is None and email is None):
        return Kind.INVALID_RECIPIENT if phone else Kind.NO_RECIPIENT
    return Kind.VISIT if visit else Kind.EMAIL if phone is None else Kind.SMS


def expected(count: int, seed: int) -> Counter[Kind]:
    return Counter(kind_of(value) for _, _, value in synthetic(count, seed, START))


def readable(count: int, seed: int) -> list[dict[str, Any]]:
    """Those that are not cut short."""
    found = []
    for _, _, value in synthetic(count, seed, START):
        try:
            found.append(orjson.loads(value))
        except orjson.JSONDecodeError:
            continue
    return found


def routed_by_the_demo(count: int, seed: int) -> Routed:
    text = resources.files("consumer.demo").joinpath("demo.yaml").read_text()
    names = ("DEMO_BOOTSTRAP", "DEMO_TOKEN", "DEMO_PASSWORD", "DEMO_CONTACTS")
    config = load(text, env={**dict.fromkeys(names, "x"), "DEMO_VENDOR": "http://127.0.0.1:1"})
    events = list(synthetic(count, seed, START))
    records = [
        InputRecord(TOPIC, 0, number, value) for number, (_, _key, value) in enumerate(events)
    ]
    return build_router(config, build_vendors(config)).route(records, START + events[-1][0])


@pytest.mark.parametrize("seed", [1, 7])
def test_the_demos_router_makes_of_every_event_what_was_expected(seed: int) -> None:
    out = routed_by_the_demo(6_000, seed)
    campaigns = Counter(invitation.campaign for invitation in out.invitations)
    refused = {(disposition, reason): n for (_, disposition, reason), n in out.counts.items()}
    found = {
        Kind.SMS: campaigns["purchase-sms"],
        Kind.EMAIL: campaigns["purchase-email"],
        Kind.VISIT: campaigns["visit"],
        Kind.UNMATCHED: refused["unmatched", ""],
        Kind.NO_RECIPIENT: refused["rejected", "no_recipient"],
        Kind.INVALID_RECIPIENT: refused["rejected", "invalid_recipient"],
        Kind.NOT_JSON: refused["dead_letter", "not_json"],
        Kind.HOLDOUT: refused["suppressed", "holdout"],
    }
    assert found == expected(6_000, seed)
    assert sum(found.values()) == 6_000
    assert set(found) == set(Kind)
    assert min(found.values()) > 0


def test_the_shares_are_as_described() -> None:
    counts = expected(40_000, 3)
    assert counts[Kind.NOT_JSON] / 40_000 == pytest.approx(0.002, rel=0.3)
    assert counts[Kind.UNMATCHED] / 40_000 == pytest.approx(0.1, rel=0.1)
    events = readable(40_000, 3)
    assert sum(event["channel"] == "visit" for event in events) / 40_000 == pytest.approx(
        0.2, rel=0.1
    )
    customers = {event["customer"]["id"]: event["customer"] for event in events}
    addresses = Counter(frozenset(each) & {"phone", "email"} for each in customers.values())
    assert len(customers) == SYNTHETIC_HOUSEHOLDS
    assert addresses == {
        frozenset(): 6,
        frozenset({"phone"}): 3,
        frozenset({"email"}): 45,
        frozenset({"phone", "email"}): 246,
    }
    assert all(each["consent"] == {"sms": True, "email": True} for each in customers.values())
    assert {event["store"]["id"] for event in events} == {store["id"] for store in STORES}
    assert len(STORES) == 12


@given(st.integers(0, 2**32), st.integers(0, 60), st.integers(0, 60))
def test_a_seed_makes_the_same_events_and_fewer_are_the_first_of_more(
    seed: int, few: int, more: int
) -> None:
    events = list(synthetic(few + more, seed, START))
    assert len(events) == few + more
    assert list(synthetic(few, seed, START)) == events[:few]
    assert sum(expected(few, seed).values()) == few


def test_another_seed_makes_other_events() -> None:
    assert list(synthetic(20, 1, START)) != list(synthetic(20, 2, START))


@pytest.mark.parametrize("rate", [5.0, 1_000.0])
def test_events_come_at_the_asked_rate_and_happen_when_they_are_due(rate: float) -> None:
    events = list(synthetic(2_000, 5, START, rate=rate))
    assert events[0][0] == 0
    assert all(one[0] <= next_one[0] for one, next_one in pairwise(events))
    assert events[-1][0] == pytest.approx(2_000 / rate, rel=0.1)
    for number, (due, _, value) in enumerate(events):
        if value.endswith(b"}"):
            event = orjson.loads(value)
            assert event["time"] == rfc3339(START + due)
            assert event["id"] == f"synthetic-5-{number}"


def test_the_key_is_the_customer_so_that_a_customers_events_stay_in_order() -> None:
    for _, key, value in synthetic(500, 5, START):
        assert value.find(b'"id":"%s"' % key) > 0 or not value.endswith(b"}")


def test_every_readable_event_fits_the_type_and_its_json_schema() -> None:
    validator = Draft202012Validator(READER.json_schema())
    for event in readable(1_000, 9):
        READER.validate_python(event, strict=True)
        validator.validate(event)


def test_the_schema_describes_every_field() -> None:
    schema = READER.json_schema()
    documents = [schema, *schema["$defs"].values()]
    assert {each["title"] for each in documents} == {
        "TransactionEvent",
        "Store",
        "Customer",
        "Consent",
    }
    for document in documents:
        assert document["description"]
        for name, field in document["properties"].items():
            assert "description" in field or "$ref" in field, name


def test_a_customer_is_always_the_same_and_consent_has_the_described_shares() -> None:
    customers = [customer(household) for household in range(1, 10_001)]
    assert customers == [customer(household) for household in range(1, 10_001)]
    segments = Counter(each["segment"] for each in customers)
    assert segments["regular"] == pytest.approx(6_000, rel=0.05)
    assert segments["gold"] == pytest.approx(1_000, rel=0.1)
    assert sum(each["consent"]["sms"] for each in customers) == pytest.approx(9_000, rel=0.02)
    assert sum(each["consent"]["email"] for each in customers) == pytest.approx(8_000, rel=0.02)
    with pytest.raises(ValueError, match="household"):
        customer(HOUSEHOLDS + 1)
