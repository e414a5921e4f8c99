"""No event stops the router: each ends in exactly one place, and says nothing of its content."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.config.load import load
from consumer.records.input_record import InputRecord
from consumer.records.readers import read_invitation
from consumer.records.result import ResultReader
from consumer.routing.routed import Routed
from consumer.routing.router import Router
from consumer.wiring.build import build_router, build_vendors
from tests.unit.routing.broken_events import CONFIG, NOW, PHONE, ROUTED, ROWS, TIME, TOPIC, Row


def make_router() -> Router:
    config = load(CONFIG, env={})
    return build_router(config, build_vendors(config))


ROUTER = make_router()


def records(values: Sequence[bytes | None]) -> list[InputRecord]:
    return [InputRecord(TOPIC, 0, offset, value) for offset, value in enumerate(values)]


def ends(routed: Routed) -> Counter[int]:
    """Offset → in how many places the record ended; unmatched ones are only counted."""
    sources = [
        *(read_invitation(each.value)["source"] for each in routed.invitations),
        *(result["source"] for result in routed.results),
        *(letter.source for letter in routed.dead_letters),
    ]
    return Counter(source["offset"] for source in sources)


def readable(routed: Routed) -> str:
    """What an operator can read of the table's one event."""
    texts = [invitation.value.decode() for invitation in routed.invitations]
    return "".join([*texts, *(letter.message for letter in routed.dead_letters)])


def test_the_table_has_every_event_once_and_at_least_fifty_of_them() -> None:
    assert len({row.name for row in ROWS}) == len({row.value for row in ROWS}) == len(ROWS) >= 50


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_event_ends_where_the_table_says(row: Row) -> None:
    routed = ROUTER.route(records([row.value]), NOW)
    assert routed.counts == {(TOPIC, *row.expected): 1}
    assert sum(ends(routed).values()) == (row.expected[0] != "unmatched")
    assert row.says in readable(routed)
    assert [letter.value for letter in routed.dead_letters] == [row.value] * len(
        routed.dead_letters
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_no_phone_number_and_no_name_leaves_but_in_an_invitation(row: Row) -> None:
    routed = ROUTER.route(records([row.value]), NOW)
    messages = "".join(letter.message for letter in routed.dead_letters)
    shown = f"{orjson.dumps(routed.results).decode()}{messages}{routed.counts}"
    for personal in (PHONE, "5321234", "Ada", "ada@", "ada b"):
        assert personal not in shown


def test_all_broken_events_in_one_batch_are_each_counted_once() -> None:
    routed = ROUTER.route(records([row.value for row in ROWS]), NOW)
    assert routed.counts == Counter((TOPIC, *row.expected) for row in ROWS)
    somewhere = {at for at, row in enumerate(ROWS) if row.expected[0] != "unmatched"}
    assert ends(routed) == dict.fromkeys(somewhere, 1)
    assert len(routed.invitations) == sum(row.expected == ROUTED for row in ROWS)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)  # lone surrogates, too
    | st.sampled_from([PHONE, TIME, "ada@example.com", "pos", 120]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
SOUND: dict[str, st.SearchStrategy[object]] = {
    "id": st.just("t-1"),
    "time": st.just(TIME),
    "channel": st.just("pos"),
    "amount": st.just(120),
    "note": st.none(),
}
CUSTOMER = st.fixed_dictionaries({}, optional={"phone": JSON, "email": JSON, "name": JSON})
EVENTS = st.fixed_dictionaries(
    {}, optional={name: sound | JSON for name, sound in SOUND.items()} | {"customer": CUSTOMER}
)
NEARLY_SOUND = st.fixed_dictionaries({**SOUND, "note": JSON, "customer": CUSTOMER | JSON})
DOCUMENTS = (JSON | EVENTS | NEARLY_SOUND).map(lambda value: json.dumps(value).encode())


@given(st.lists(st.none() | st.binary(max_size=100) | DOCUMENTS, max_size=5))
def test_whatever_comes_is_settled_in_exactly_one_place(values: list[bytes | None]) -> None:
    routed = ROUTER.route(records(values), NOW)
    unmatched = routed.counts[TOPIC, "unmatched", ""]
    assert len(values) == routed.counts.total()
    assert len(values) == unmatched + ends(routed).total()
    assert set(ends(routed).values()) <= {1}
    for result in routed.results:
        assert ResultReader.validate_json(orjson.dumps(result)) == result
    assert (TOPIC, "dead_letter", "internal_error") not in routed.counts


@given(st.sampled_from([row.value for row in ROWS if row.expected == ROUTED]), st.data())
def test_a_sound_event_with_one_byte_changed_is_settled_once(
    value: bytes | None, data: st.DataObject
) -> None:
    assert value is not None
    at = data.draw(st.integers(0, min(len(value), 500) - 1))
    byte = data.draw(st.binary(min_size=0, max_size=1))
    routed = ROUTER.route(records([value[:at] + byte + value[at + 1 :]]), NOW)
    assert routed.counts.total() == 1
    assert (TOPIC, "dead_letter", "internal_error") not in routed.counts
