"""A vendor that repeats the call: its message goes on without the customer's words."""

from __future__ import annotations

import orjson
import pytest

from consumer.vendors.echo import without_echo

BODY = orjson.dumps(
    {
        "phone_numbers": ["+905321234567"],
        "custom_attributes": {"+905321234567": {"name": "Ayşe ÇIĞIRTKAN", "city": "Of, İstanbul"}},
    }
)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("The customer Ayşe Çığırtkan is not valid", "The customer […] is not valid"),
        ("AYŞE ÇIĞIRTKAN: bad", "[…]: bad"),
        ("ayşe: bad", "[…]: bad"),
        ("İSTANBUL and Istanbul", "[…] and […]"),
        ("name='Ayşe'", "[…]='[…]'"),
        ("Ayşegül is somebody else", "Ayşegül is somebody else"),
        ("Out of order", "Out of order"),
        ("No credit left", "No credit left"),
    ],
)
def test_words_of_the_call_are_hidden(said: str, shown: str) -> None:
    assert without_echo(said, BODY) == shown


@pytest.mark.parametrize("nothing", [None, ""])
def test_nothing_said_stays_nothing(nothing: str | None) -> None:
    assert without_echo(nothing, BODY) == nothing


def test_a_body_that_is_no_text_hides_nothing() -> None:
    assert without_echo("bad \xff request", b"\xff\xfe") == "bad \xff request"
