"""Numbers keep the digits that came, wherever they stand and whatever reads them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.errors import EventError
from consumer.records.channel import ChannelSpec
from consumer.records.input_record import InputRecord
from consumer.routing.decoding.decode import EventDecoder
from consumer.routing.decoding.digits import Written, as_text, exact_body
from consumer.routing.decoding.payload import decode_json
from consumer.routing.expressions import compile_value
from consumer.routing.link import compile_link
from consumer.routing.route import Link, Target
from tests.support.events import decoded


def data_of(raw: bytes, expression: str = "n") -> str | None:
    """What a route's data says of it, for an event as the router has it."""
    values = [("f", compile_value(expression, exact=True))]
    target = Target("c", "l", "v", "sms", ChannelSpec(("phone",)), values)
    found = target.data(orjson.loads(raw), raw).get("f")
    assert found is None or isinstance(found, str)
    return found


KEPT = [
    "129.90",
    "129.9",
    "12345678901234567890123",
    "-12345678901234567890123",
    "18446744073709551616",
    "9223372036854775808",
    "1e2",
    "1.50E+3",
    "0.10",
    "-0.0",
    "100.00",
    "0.1000000000000000055511151231257827",
    "129.89999999999999999",
    "1e-7",
    "7",
]


@pytest.mark.parametrize("number", KEPT)
@pytest.mark.parametrize(
    ("text", "expression", "said"),
    [
        ('{"n":%s}', "n", "%s"),
        ('{"n": %s , "m": 1}', "n", "%s"),
        ('{"a":{"n":%s}}', "a.n", "%s"),
        ('{"l":[1,%s]}', "l[1]", "%s"),
        ('{"l":[1,%s]}', "l", "[1,%s]"),
        ('{"o":{"n":%s}}', "o", '{"n":%s}'),
        ('{"n":%s}', "not_null(nothing, n)", "%s"),
        ('{"n":%s}', "to_string(n)", "%s"),
        ('{"l":[%s,"x"]}', "to_string(l)", '[%s,"x"]'),
        ('{"n":%s}', "join(' ', [to_string(n), 'TRY'])", "%s TRY"),
        ('{"l":[{"n":%s,"k":1},{"n":2,"k":0}]}', "max_by(l, &k).n", "%s"),
    ],
)
def test_a_number_in_data_has_the_digits_that_came(
    number: str, text: str, expression: str, said: str
) -> None:
    assert data_of((text % number).encode(), expression) == said % number


@pytest.mark.parametrize(
    "raw",
    [
        b'{"n":129.90,"m":129.9}',
        b'{"m":129.9,"n":129.90}',
        b'{"m":"129.9","n":129.90}',
        b'{"m":[129.9],"n":129.90,"o":129.90}',
        b'{"m":1129.9,"n":129.90}',
    ],
)
def test_the_same_number_written_otherwise_beside_it_changes_nothing(raw: bytes) -> None:
    assert data_of(raw) == "129.90"


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9
    )
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.floats(0, 99) | st.integers(0, 99), max_size=3),
)
def test_whatever_stands_beside_a_number_its_text_is_kept(
    number: Decimal | float, others: list[float]
) -> None:
    text = f"{number:f}" if isinstance(number, Decimal) else json.dumps(number)
    rest = ",".join(f'"o{at}":{other}' for at, other in enumerate(others))
    assert data_of(f'{{"n":{text}{"," if rest else ""}{rest}}}'.encode()) == text


def test_a_link_has_the_digits_that_came() -> None:
    raw = b'{"n":129.90}'
    template = compile_link("https://s.example/{n}")
    for expression in ("n", "to_string(n)"):
        link = Link(template, [("n", compile_value(expression, exact=True))])
        assert link.make_url(orjson.loads(raw), {}, raw) == "https://s.example/129.90"


def read_id(raw: bytes, path: str = "id") -> str:
    return decoded(EventDecoder(decode_json, path, "time", 1000), InputRecord("pos", 0, 0, raw)).id


@pytest.mark.parametrize("number", ["12345678901234567890123", "18446744073709551616"])
@pytest.mark.parametrize(
    "path", ["id", "to_string(id)", "[id][0]", "join('-', ['t', to_string(id)])"]
)
def test_an_event_id_beyond_64_bits_is_its_digits(number: str, path: str) -> None:
    raw = f'{{"id":{number},"time":"2026-11-22T15:37:07Z"}}'.encode()
    assert read_id(raw, path).removeprefix("t-") == number


@pytest.mark.parametrize("number", ["1.5", "1.0", "1e3", "-12345678901234567890123.0"])
def test_a_fraction_is_no_event_id(number: str) -> None:
    with pytest.raises(EventError, match="or an integer"):
        read_id(f'{{"id":{number},"time":"2026-11-22T15:37:07Z"}}'.encode())


def test_what_only_orjson_can_read_keeps_its_doubles() -> None:
    body: dict[str, Any] = {"n": 1.5}
    assert exact_body(b"[1.50]", body) == exact_body(b"{", body) == body
    deep = b'{"n":' + b"[" * 100_000
    assert exact_body(deep, body) == body


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("to_string(n)", "1.5"),
        ("to_string(@)", '{"n":1.5}'),
        ("to_string(sum([n, `1`]))", "2.5"),
        ("nothing || to_string(avg([n]))", "1.5"),
    ],
)
def test_a_double_that_no_record_has_is_taken_as_it_is(expression: str, text: str) -> None:
    values = [("f", compile_value(expression, exact=True))]
    target = Target("c", "l", "v", "sms", ChannelSpec(("phone",)), values)
    assert target.data({"n": 1.5}, b"{") == {"f": text}


def test_numbers_without_their_record_are_those_of_doubles() -> None:
    target = Target("c", "l", "v", "sms", ChannelSpec(("phone",)), [("f", compile_value("n"))])
    assert target.data({"n": 129.90}) == {"f": "129.9"}
    assert as_text(Written("129.90")) == "129.90"
    assert as_text(10**5000) is None
