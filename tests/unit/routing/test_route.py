"""One route: what a target makes of an event's data, and which addresses can be reached."""

from __future__ import annotations

import traceback
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import unquote

import pytest

from consumer.errors import DataError
from consumer.records.channel import ChannelSpec, Listed
from consumer.records.result import Reason
from consumer.routing.expressions import compile_value
from consumer.routing.link import compile_link
from consumer.routing.patterns.pattern import compile_pattern
from consumer.routing.recipients.recipients import normalise_email
from consumer.routing.route import Body, Getter, Kind, Link, Normaliser, Reach, Route, Target

ANY = compile_pattern({"id": [{"exists": True}]})


def getters(names: dict[str, str]) -> list[tuple[str, Getter]]:
    return [(name, compile_value(path)) for name, path in names.items()]


def target(
    fields: dict[str, str] | None = None,
    maps: dict[str, dict[str, str]] | None = None,
    addresses: tuple[Kind, ...] = ("phone",),
    required: frozenset[str] = frozenset(),
) -> Target:
    spec = ChannelSpec(addresses, required=required)
    inner = [(name, getters(names)) for name, names in (maps or {}).items()]
    return Target("c", "lane", "acme", "sms", spec, getters(fields or {}), inner)


class Phones:
    """Takes everything for a phone number but the word `bad`; notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def __call__(self, raw: object) -> str | None:
        self.asked.append(raw)
        return None if raw == "bad" else f"+{raw}"


def reach(body: Body, kinds: Sequence[Kind] = ("phone", "email")) -> tuple[Reach, Phones]:
    phones = Phones()
    readers: dict[Kind, tuple[Getter, Normaliser]] = {
        "phone": (compile_value("phone"), phones),
        "email": (compile_value("email"), normalise_email),
    }
    recipient = {kind: readers[kind] for kind in kinds}
    return Reach(Route("r", ANY, recipient, []), body), phones


def test_data_has_the_vendors_names_and_texts() -> None:
    made = target(
        {"firstName": "customer.name", "lastName": "'Byron'"},
        {"metadata": {"amount": "amount", "vip": "vip", "shop": "shop"}},
    )
    body: Body = {"customer": {"name": "Ada"}, "amount": 12.5, "vip": True, "shop": {"no": 7}}
    assert made.data(body) == {
        "firstName": "Ada",
        "lastName": "Byron",
        "metadata": {"amount": "12.5", "vip": "true", "shop": '{"no":7}'},
    }


@pytest.mark.parametrize("body", [{}, {"a": None}, {"a": {"b": 1}, "c": None}])
def test_null_omits_a_field_an_entry_and_a_map_without_entries(body: Body) -> None:
    assert target({"field": "a.x"}, {"empty": {"one": "c"}, "map": {"x": "c"}}).data(body) == {}


def test_null_leaves_the_other_entries_of_its_map() -> None:
    assert target(maps={"map": {"one": "a", "two": "b"}}).data({"b": 0}) == {"map": {"two": "0"}}


def test_empty_text_and_false_are_values() -> None:
    assert target({"a": "a", "b": "b"}).data({"a": "", "b": False}) == {"a": "", "b": "false"}


@pytest.mark.parametrize("place", [None, "", " ", "\t\n\u00a0"])
def test_a_required_field_without_value_is_invalid_data(place: str | None) -> None:
    made = target({"name": "name", "place": "a"}, required=frozenset({"place"}))
    body: Body = {"a": place, "name": "SECRET"}
    with pytest.raises(DataError) as caught:
        made.data(body)
    assert caught.value.reason is Reason.INVALID_DATA
    assert str(caught.value) == "place is required by acme"
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("missing", ["firstName", "metadata.id"])
@pytest.mark.parametrize("value", [None, "", " "])
def test_what_a_campaign_requires_is_a_key_or_an_entry_of_a_map(
    missing: str, value: str | None
) -> None:
    made = target({"firstName": "name"}, {"metadata": {"id": "customer.id", "free": "free"}})
    made = replace(made, required=("firstName", "metadata.id"))
    sound: Body = {"name": "Ada", "customer": {"id": 7}}
    assert made.data(sound) == {"firstName": "Ada", "metadata": {"id": "7"}}
    spoilt: Body = {"name": value} if missing == "firstName" else {"customer": {"id": value}}
    with pytest.raises(DataError) as caught:
        made.data({**sound, **spoilt})
    assert (caught.value.reason, str(caught.value)) == (
        Reason.INVALID_DATA,
        f"{missing} is required by c",
    )


def test_a_required_key_may_be_a_map_with_an_entry() -> None:
    made = target(maps={"map": {"x": "a"}}, required=frozenset({"map"}))
    assert made.data({"a": ""}) == {"map": {"x": ""}}
    with pytest.raises(DataError, match="map is required by acme"):
        made.data({})


TILLS = Listed("till", "shop", {"big": frozenset({"1", "2"}), "small": frozenset({"9"})})


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ({"shop": "big", "till": "1"}, True),
        ({"shop": "big", "till": 2}, True),
        ({"shop": "big", "till": "9"}, False),
        ({"shop": "big", "till": ""}, False),
        ({"shop": "big"}, False),
        ({"shop": "small", "till": "9"}, True),
        ({"shop": "small", "till": "1"}, False),
        ({"shop": "small", "till": ""}, True),
        ({"shop": "small"}, True),
        ({"shop": "other", "till": "SECRET"}, True),
        ({"shop": "other"}, True),
        ({"till": "1"}, True),
    ],
)
def test_a_listed_field_is_one_of_those_that_another_one_allows(body: Body, fits: bool) -> None:
    made = target({"shop": "shop", "till": "till"})
    made = replace(made, spec=ChannelSpec(("phone",), listed=(TILLS,)))
    if fits:
        assert made.data(body) == {name: str(value) for name, value in body.items()}
        return
    with pytest.raises(DataError) as caught:
        made.data(body)
    assert caught.value.reason is Reason.INVALID_DATA
    assert str(caught.value) == "till is none that acme has for this shop"


def test_a_link_is_filled_from_the_event_and_from_what_is_given() -> None:
    template = compile_link("https://a.example/{code}?name={name}&to={phone}&vip={vip}")
    link = Link(template, getters({"code": "order.no", "name": "name", "vip": "vip"}))
    given = {"phone": "+905321234567"}
    assert link.make_url({"order": {"no": 7}, "name": "A&B", "vip": True}, given) == (
        "https://a.example/7?name=A%26B&to=%2B905321234567&vip=true"
    )
    assert link.make_url({"order": {"no": 7}, "name": None}, {}) == "https://a.example/7"


def test_a_links_responses_are_the_values_that_the_event_has() -> None:
    template = compile_link("https://a.example/{code}?responses={responses}")
    form, values = {"k": "$key", "v": "$value"}, getters({"tier": "tier", "store": "store"})
    link = Link(template, getters({"code": "no"}), form, values)

    made = link.make_url({"no": 7, "tier": "gold"}, {})
    packed = unquote(made.partition("?responses=")[2])
    assert b64decode(packed) == b'[{"k":"tier","v":"gold"}]'
    assert link.make_url({"no": 7}, {}) == "https://a.example/7"


def test_a_link_without_a_value_that_it_needs_is_invalid_data() -> None:
    link = Link(compile_link("https://a.example/{code}?n={name}"), getters({"name": "name"}))
    body: Body = {"name": "SECRET"}
    with pytest.raises(DataError) as caught:
        link.make_url(body, {})
    assert caught.value.reason is Reason.INVALID_DATA
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        (("phone",), {"phone": "+1"}),
        (("email",), {"email": "a@b.org"}),
        (("email", "phone"), {"email": "a@b.org", "phone": "+1"}),
    ],
)
def test_only_addresses_that_the_channel_needs_are_taken(
    addresses: tuple[Kind, ...], expected: dict[str, str]
) -> None:
    made, _ = reach({"phone": 1, "email": "a@b.org"})
    assert made.address_for(target(addresses=addresses)) == expected


def test_an_invalid_address_beside_a_valid_one_does_not_travel() -> None:
    made, _ = reach({"phone": "bad", "email": "a@b.org"})
    assert made.address_for(target(addresses=("phone", "email"))) == {"email": "a@b.org"}


@pytest.mark.parametrize(
    ("body", "unfit"),
    [
        ({}, []),
        ({"phone": None}, []),
        ({"phone": ""}, []),
        ({"phone": "bad"}, ["phone"]),
        ({"phone": "bad", "email": "bad"}, ["phone", "email"]),
    ],
)
def test_an_address_is_unfit_when_it_is_there_but_invalid(body: Body, unfit: list[str]) -> None:
    made, _ = reach(body)
    targets = [target(addresses=("phone",)), target(addresses=("phone", "email"))]
    assert [made.address_for(each) for each in targets] == [{}, {}]
    assert made.unfit(targets) == unfit


def test_an_address_that_only_a_rule_read_is_not_unfit() -> None:
    """A sample by person reads every address; the result's reason is the same without it."""
    made, _ = reach({"email": "bad"})
    assert made.address("email") is None
    assert made.unfit([target(addresses=("phone",))]) == []


def test_an_address_that_the_route_does_not_read_is_not_there() -> None:
    made, phones = reach({"phone": 1}, kinds=["email"])
    assert made.address_for(target(addresses=("phone",))) == {}
    assert (made.unfit([target(addresses=("phone",))]), phones.asked) == ([], [])


@pytest.mark.parametrize("number", ["1", "bad"])
def test_an_address_is_normalised_once_for_all_targets(number: str) -> None:
    made, phones = reach({"phone": number})
    assert made.address_for(target()) == made.address_for(target(addresses=("phone", "email")))
    assert phones.asked == [number]
