"""One route: what a target makes of an event's data, and which addresses can be reached."""

from __future__ import annotations

import traceback
from collections.abc import Sequence

import pytest

from consumer.errors import DataError
from consumer.model import ChannelSpec, Reason
from consumer.routing.pattern import compile_pattern
from consumer.routing.recipients import normalise_email
from consumer.routing.route import Body, Getter, Kind, Normaliser, Reach, Route, Target
from consumer.routing.values import compile_value

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


@pytest.mark.parametrize("body", [{}, {"a": None, "name": "SECRET"}])
def test_a_required_field_without_value_is_invalid_data(body: Body) -> None:
    made = target({"name": "name", "place": "a"}, required=frozenset({"place"}))
    with pytest.raises(DataError) as caught:
        made.data(body)
    assert caught.value.reason is Reason.INVALID_DATA
    assert str(caught.value) == "place is required by acme"
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))


def test_a_required_field_may_be_empty_text() -> None:
    assert target({"a": "a"}, required=frozenset({"a"})).data({"a": ""}) == {"a": ""}


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
    assert made.by(target(addresses=addresses)) == expected
    assert made.present


def test_an_invalid_address_beside_a_valid_one_does_not_travel() -> None:
    made, _ = reach({"phone": "bad", "email": "a@b.org"})
    assert made.by(target(addresses=("phone", "email"))) == {"email": "a@b.org"}


@pytest.mark.parametrize(
    ("body", "present"),
    [({}, False), ({"phone": None}, False), ({"phone": ""}, False), ({"phone": "bad"}, True)],
)
def test_an_address_is_present_when_it_is_there_but_invalid(body: Body, present: bool) -> None:
    made, _ = reach(body)
    assert made.by(target(addresses=("phone", "email"))) == {}
    assert made.present is present


def test_an_address_that_the_route_does_not_read_is_not_there() -> None:
    made, phones = reach({"phone": 1}, kinds=["email"])
    assert made.by(target(addresses=("phone",))) == {}
    assert (made.present, phones.asked) == (False, [])


@pytest.mark.parametrize("number", ["1", "bad"])
def test_an_address_is_normalised_once_for_all_targets(number: str) -> None:
    made, phones = reach({"phone": number})
    assert made.by(target()) == made.by(target(addresses=("phone", "email")))
    assert phones.asked == [number]
