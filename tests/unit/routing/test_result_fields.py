"""Event fields in results: what the config chose, and never an address."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from consumer.config.load import load
from consumer.errors import ConfigError
from consumer.records.input_record import InputRecord
from consumer.records.readers import read_invitation
from consumer.records.result import EncodedResult
from consumer.routing.endings import FIELD_LIMIT
from consumer.routing.routed import Routed
from consumer.wiring.build import build_router, build_vendors
from tests.unit.routing.test_for_each import BASE

PHONE = "+905321234567"
ROUTE: dict[str, Any] = {
    "name": "any",
    "input": "trips",
    "recipient": {"phone": "customer.phone", "email": "customer.mail"},
    "phone_region": "TR",
    "send": ["sms"],
}
FIELDS = {"store": "store.id", "note": "note", "total": "total"}


def document(**fields: str) -> str:
    return orjson.dumps(BASE | {"routes": [ROUTE], "results": {"fields": fields}}).decode()


def route(phone: str = PHONE, **event: Any) -> Routed:
    config = load(document(**FIELDS), env={})
    body = {"id": "t-1", "time": "2026-11-23T10:00:00Z", "customer": {"phone": phone}} | event
    record = InputRecord("trips", 0, 7, orjson.dumps(body))
    return build_router(config, build_vendors(config)).route([record], 1_795_435_200.0)


def invited(**event: Any) -> dict[str, str | None]:
    (made,) = route(**event).invitations
    found: dict[str, str | None] = read_invitation(made.value)["event"]
    return found


def test_an_invitation_carries_them_to_its_result() -> None:
    assert invited(store={"id": "0042"}, total=orjson.Fragment("129.90")) == {
        "store": "0042",
        "note": None,
        "total": "129.90",
    }


def test_a_result_without_a_call_has_them_too() -> None:
    (result,) = route(phone="none", store={"id": "0042"}).results
    assert result["event"] == {"store": "0042", "note": None, "total": None}


@pytest.mark.parametrize(
    "note",
    [PHONE, "0532 123 45 67", "532-123-45-67", "1234567", "ada@example.com", "x <a@b.example>"],
)
def test_an_address_of_the_customer_is_left_out(note: str) -> None:
    assert invited(note=note)["note"] is None


@pytest.mark.parametrize("note", ["7654321", "234567", "order 12345678", ""])
def test_other_numbers_stay(note: str) -> None:
    assert invited(note=note)["note"] == note


def test_an_invalid_phone_is_left_out_as_it_came() -> None:
    (result,) = route(phone="12", note="12").results
    assert result["event"] == {"store": None, "note": None, "total": None}


def test_a_long_text_is_cut() -> None:
    assert invited(note="x" * 1_000)["note"] == "x" * FIELD_LIMIT


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("customer.phone", "results.fields.f: is an address, and results have none"),
        ("customer.", "results.fields.f: not a JMESPath expression"),
    ],
)
def test_an_address_is_refused_when_the_config_is_read(expression: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(document(f=expression), env={})
    assert said in str(refused.value)


TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("phone", [PHONE, "none"])
def test_trace_context_reaches_invitation_and_result(phone: str) -> None:
    config = load(document(), env={})
    body = {"id": "t-1", "time": "2026-11-23T10:00:00Z", "customer": {"phone": phone}}
    record = InputRecord("trips", 0, 7, orjson.dumps(body), traceparent=TRACEPARENT)
    routed = build_router(config, build_vendors(config)).route([record], 1_795_435_200.0)
    carried = [read_invitation(made.value)["traceparent"] for made in routed.invitations]
    carried += [EncodedResult.of(result).traceparent for result in routed.results]
    assert carried == [TRACEPARENT]
