"""Several recipients in one event: one invitation each, with its item's place in the id."""

from __future__ import annotations

from typing import Any, cast

import orjson
import pytest

from consumer.config.load import load
from consumer.errors import ConfigError
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord
from consumer.records.readers import read_invitation
from consumer.routing.for_each import MOST_ITEMS
from consumer.routing.routed import Routed
from consumer.wiring.build import build_router, build_vendors

NOW = 1_795_435_200.0
BASE: dict[str, Any] = {
    "version": 1,
    "application_id": "app",
    "kafka": {"bootstrap.servers": "localhost:9092"},
    "pseudonym": {"key_id": "k1", "key": "0123456789abcdef"},
    "quotas": {"cloud": {"limits": ["20/5s"]}},
    "vendors": {
        "pisano": {
            "type": "pisano",
            "base_url": "https://p.example",
            "token": "t",
            "quota": "cloud",
        }
    },
    "campaigns": {"sms": {"vendor": "pisano", "channel": "sms", "id": "of-sms"}},
    "inputs": {"trips": {"topics": ["trips"], "format": "json", "routes": "all"}},
}
ROUTE: dict[str, Any] = {
    "name": "trip",
    "input": "trips",
    "for_each": "travellers",
    "recipient": {"phone": "$item.phone"},
    "phone_region": "TR",
    "send": ["sms"],
    "data": {"custom_attributes": {"seat": "$item.seat", "fare": "$item.fare", "trip": "id"}},
}


def phone(number: int) -> str:
    return f"+90532{number:07d}"


def route(travellers: object, *routes: dict[str, Any], **event: Any) -> Routed:
    config = load(orjson.dumps(BASE | {"routes": [ROUTE, *routes]}).decode(), env={})
    body = {"id": "t-1", "time": "2026-11-23T10:00:00Z", "travellers": travellers} | event
    value = orjson.dumps(body)
    return build_router(config, build_vendors(config)).route(
        [InputRecord("trips", 0, 7, value)], NOW
    )


def attributes(routed: Routed) -> list[dict[str, str]]:
    made = [read_invitation(one.value)["data"]["custom_attributes"] for one in routed.invitations]
    return cast("list[dict[str, str]]", made)


def seats(routed: Routed) -> list[tuple[str, str]]:
    """(phone, seat) of each invitation."""
    phones = [read_invitation(one.value)["address"]["phone"] for one in routed.invitations]
    return [(to, data["seat"]) for to, data in zip(phones, attributes(routed), strict=True)]


def test_each_item_is_invited_with_the_events_data_beside_its_own() -> None:
    travellers = [{"phone": phone(n), "seat": f"{n}A"} for n in range(3)]
    routed = route(travellers)
    assert seats(routed) == [(phone(n), f"{n}A") for n in range(3)]
    ids = [read_invitation(one.value)["id"] for one in routed.invitations]
    assert len(set(ids)) == 3
    assert routed.invitations == route(travellers).invitations
    assert routed.counts == {("trips", "routed", ""): 3}


def test_an_item_keeps_its_id_whatever_becomes_of_the_others() -> None:
    whole = route([{"phone": phone(n), "seat": "1A"} for n in range(3)])
    partly = route([{"phone": "none"}, {"phone": phone(1), "seat": "1A"}, {}])
    (only,) = partly.invitations
    assert only.value == whole.invitations[1].value
    assert [result["reason"] for result in partly.results] == ["invalid_recipient", "no_recipient"]


@pytest.mark.parametrize("travellers", [[], None, "Ada", {"phone": phone(1)}])
def test_an_event_without_items_has_no_recipient(travellers: object) -> None:
    (result,) = route(travellers).results
    assert result["reason"] == "no_recipient"


def test_numbers_of_an_item_keep_their_digits() -> None:
    text = '[{"phone": "%s", "fare": 129.90}, {"phone": "%s", "fare": 129.9}, {"phone": "%s"}]'
    routed = route(orjson.Fragment(text % (phone(1), phone(2), phone(3))))
    fares = [data.get("fare") for data in attributes(routed)]
    assert fares == ["129.90", "129.9", None]


def test_a_filter_chooses_items_and_the_digits_of_its_items() -> None:
    adults = ROUTE | {"name": "adults", "for_each": "travellers[?age > `17`]"}
    travellers = [{"phone": phone(1), "age": 7.0, "fare": 1.5}, {"phone": phone(2), "age": 18.5}]
    routed = route(travellers, adults)
    made = [read_invitation(one.value) for one in routed.invitations]
    assert [(one["route"], one["address"]["phone"]) for one in made] == [
        ("trip", phone(1)),
        ("trip", phone(2)),
        ("adults", phone(2)),
    ]


def test_too_many_items_are_one_dead_letter_and_no_invitation_of_any_route() -> None:
    plain = {**ROUTE, "name": "booker", "recipient": {"phone": "phone"}, "data": {}}
    del plain["for_each"]
    crowd = [{"phone": phone(n)} for n in range(MOST_ITEMS + 1)]
    assert len(route(crowd[1:], plain, phone=phone(0)).invitations) == MOST_ITEMS + 1
    routed = route(crowd, plain, phone=phone(0))
    (letter,) = routed.dead_letters
    assert letter.reason is DeadLetterReason.TOO_MANY_ITEMS
    assert (routed.invitations, routed.results) == ([], [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"for_each": None}, "for_each: is missing: $item is an item of its list"),
        ({"match": {"$item": {"seat": ["1A"]}}}, "match: $item is not there yet"),
        ({"for_each": "travellers[?"}, "for_each: not a JMESPath expression"),
    ],
)
def test_an_item_that_cannot_be_there_is_refused(change: dict[str, Any], said: str) -> None:
    changed = {key: value for key, value in (ROUTE | change).items() if value is not None}
    with pytest.raises(ConfigError) as refused:
        load(orjson.dumps(BASE | {"routes": [changed]}).decode(), env={})
    assert said in str(refused.value)
