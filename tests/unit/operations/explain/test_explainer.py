"""Explanations agree with the router, for any event; what they show of it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.config.load import load
from consumer.config.models import Config
from consumer.operations.explain.explainer import Explainer
from consumer.operations.explain.masking import Masking
from consumer.operations.explain.shapes import Explanation
from consumer.records.input_record import InputRecord
from consumer.wiring.build import build_router, build_vendors
from tests.unit.operations.explain.cases import FOLDER

NOW = 1_795_435_200.0
PHONE, EMAIL, NAME = "+905321234567", "ada@example.com", "Ada Lovelace"
REASONS = {
    "expire_after": "too_old",
    "exclude": "excluded",
    "customer_since": "too_new",
    "holdout": "holdout",
    "sample": "not_sampled",
}
"""Rules at routing → the reason of their refusal."""

WORDS = ("pos", "YES", "employee", "", "x" * 90, NAME, "Europe/Istanbul")
ADDRESSES = (PHONE, "0532 123 45 67", 5321234567, EMAIL, "ada@ourcompany.example")
TIMES = (
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59Z",
    "2026-01-01T00:00:00Z",
    "2026-11-20T00:00:00Z",
    "2026-11-23T10:00:00Z",
)
PIECES = st.sampled_from([None, True, False, 0, 120, 700.5, *WORDS, *ADDRESSES, *TIMES])
VALUES = st.recursive(
    PIECES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["sms", "email", "sku", "count"]), inner, max_size=3)
    ),
    max_leaves=6,
)
CUSTOMER = st.fixed_dictionaries(
    {kind: st.sampled_from(ADDRESSES) | VALUES for kind in ("phone", "email")},
    optional=dict.fromkeys(["id", "name", "type", "created", "consent", "timezone"], VALUES),
)
EVENTS = st.fixed_dictionaries(
    {
        "id": st.just("t-1") | PIECES,
        "time": st.just(TIMES[-1]) | st.just(TIMES[-2]) | PIECES,
        "customer": CUSTOMER | CUSTOMER | VALUES,
    },
    optional={
        "channel": st.sampled_from(["pos", "basket", "web"]) | VALUES,
        **dict.fromkeys(["amount", "store", "items", "segment", "coupon"], VALUES),
    },
)


@cache
def config(name: str) -> Config:
    return load(FOLDER / "configs" / f"{name}.yaml", env={})


@cache
def explainer(name: str) -> Explainer:
    return Explainer(config(name), Masking())


def explain(name: str, event: Any) -> Explanation:
    return explainer(name).explain(InputRecord("pos", 0, 0, orjson.dumps(event)), NOW, 10)


@given(st.sampled_from(["shop", "rules"]), EVENTS)
def test_the_decision_is_the_routers_whatever_the_event(name: str, event: Any) -> None:
    told = explain(name, event)
    router = build_router(config(name), build_vendors(config(name)))
    routed = router.route([InputRecord("pos", 0, 0, orjson.dumps(event))], NOW)
    for result in routed.results:
        assert (told["reason"], told["route"]) == (result["reason"], result["route"])
        assert told["decision"] == result["status"]
        assert told["fields"] == result.get("fields", [])
    for letter in routed.dead_letters:
        assert (told["decision"], told["reason"]) == ("dead_letter", letter.reason)
    for made in routed.invitations:
        assert (told["decision"], told["campaign"]) == ("invite", made.campaign)
        assert told["call"] is not None
    if not (routed.results or routed.dead_letters or routed.invitations):
        assert told["decision"] == "unmatched"
        assert not any(route["taken"] for route in told["routes"])


@given(EVENTS)
def test_the_first_rule_that_fails_is_the_reason(event: Any) -> None:
    """Each rule is asked by itself, so their answers could contradict the router's."""
    told = explain("rules", event)
    if told["decision"] in ("unmatched", "dead_letter"):
        return
    failed = [rule["rule"] for rule in told["rules"] if rule["rule"] in REASONS]
    assert failed == list(REASONS)  # all are asked
    refusing = [rule["rule"] for rule in told["rules"] if not rule["holds"]]
    first = next((REASONS[rule] for rule in refusing if rule in REASONS), None)
    if first is None:
        assert told["reason"] not in REASONS.values()
    else:
        assert told["reason"] == first


@given(st.sampled_from(["shop", "rules"]), EVENTS)
def test_no_address_is_shown_wherever_it_stands(name: str, event: Any) -> None:
    shown = json.dumps(explain(name, event), default=str, ensure_ascii=False)
    assert all(text not in shown for text in (PHONE, "0532 123 45 67", EMAIL, "5321234567"))


@given(EVENTS)
def test_matched_routes_have_no_failed_condition(event: Any) -> None:
    for route in explain("shop", event)["routes"]:
        holds = all(condition["holds"] for condition in route["conditions"])
        assert route["matched"] == holds
        assert route["matched"] or not route["taken"]


@pytest.mark.parametrize("most", [1, 2])
def test_so_many_routes_are_listed_as_asked_for(most: int) -> None:
    record = InputRecord("pos", 0, 0, b"{}")
    told = explainer("shop").explain(record, NOW, most)
    assert (len(told["routes"]), told["routes_left_out"]) == (most, 4 - most)


def test_a_call_that_is_a_form_is_shown_by_its_fields() -> None:
    example = FOLDER.parents[2] / "schemas" / "examples" / "routing-config-delighted.yaml"
    shown = load(example, secrets=False)
    event = {
        "id": "t-1",
        "time": "2026-11-23T10:00:00Z",
        "type": "order-delivered",
        "store": "s1",
        "customer": {"email": EMAIL, "name": NAME},
    }
    record = InputRecord("shop.orders", 0, 0, orjson.dumps(event))

    call = Explainer(shown, Masking(off=True)).explain(record, NOW, 0)["call"]

    assert call is not None
    assert (call["method"], call["path"]) == ("POST", "/v1/people.json")
    assert call["body"] == {
        "email": EMAIL,
        "name": NAME,
        "properties[Store]": "s1",
        "properties[Order]": "t-1",
    }


def row(**changes: object) -> Explanation:
    """An uploaded row of the route that invites by SMS, explained."""
    name = config("shop").routes[0].name
    body = {"customer": {"phone": PHONE, "name": NAME}}
    sound = {"route": name, "id": "0" * 32, "time": TIMES[-1], "event": body}
    topic = config("shop").topics.uploads
    record = InputRecord(topic, 0, 3, orjson.dumps({**sound, **changes}))
    return explainer("shop").explain(record, NOW, most_routes=3)


def test_an_uploaded_row_is_explained_by_the_route_that_it_names() -> None:
    """Its pattern is not asked, and addresses are masked as those of an event."""
    told = row()
    assert (told["decision"], told["route"]) == ("invite", config("shop").routes[0].name)
    assert told["event"]["source"]["topic"] == "surveys.uploads"
    assert PHONE not in json.dumps(told)
    assert NAME not in json.dumps(told)
    assert row(event={})["reason"] == "no_recipient"


def test_an_uploaded_row_that_no_route_takes_is_explained_as_a_dead_letter() -> None:
    told = row(route="gone")
    assert (told["decision"], told["reason"], told["route"]) == ("dead_letter", "no_route", None)
    assert row(id="7")["reason"] == "bad_upload"
