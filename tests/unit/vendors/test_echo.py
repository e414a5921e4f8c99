"""A vendor that repeats the call: its message and code go on without the customer's words."""

from __future__ import annotations

import unicodedata
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from html import escape
from urllib.parse import quote, quote_plus

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.records.call import Outcome, Verdict
from consumer.vendors.answers import scrub
from consumer.vendors.echo import PART, cleaned, is_clean

BODY = orjson.dumps(
    {
        "phone_numbers": ["+905321234567"],
        "custom_attributes": {"+905321234567": {"name": "Ayşe ÇIĞIRTKAN", "city": "Of, İstanbul"}},
    }
)


def without_echo(message: str | None, body: bytes) -> str | None:
    return cleaned(Outcome(Verdict.REJECTED, 400, message=message), body, ()).message


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


def as_entities(text: str) -> str:
    return "".join(f"&#{ord(sign)};" for sign in text)


def without_marks(text: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return plain.replace("ı", "i")


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "small": str.lower,
    "capital": str.upper,
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "without accents": without_marks,
    "fullwidth": lambda text: "".join(chr(ord(c) + 0xFEE0) if c.isascii() else c for c in text),
    "underscores": lambda text: f"user_{text}_7",
    "with a number": lambda text: f"{text}1990",
    "twice": lambda text: text + text,
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64 without its end": lambda text: b64encode(text.encode()).decode().rstrip("="),
    "base64 for URLs": lambda text: urlsafe_b64encode(text.encode()).decode(),
    "for URLs": quote,
    "for URLs, all of it": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "for URLs, twice": lambda text: quote_plus(quote_plus(text)),
    "HTML": as_entities,
    "HTML in HTML": lambda text: escape(as_entities(text)),
    "JSON in JSON": lambda text: "".join(f"\\u{ord(sign):04x}" for sign in text),
    "with a soft hyphen": lambda text: f"{text[:2]}\u00ad{text[2:]}",
    "with a zero-width space": lambda text: f"{text[:1]}\u200b{text[1:]}",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    "name", ["Ayşe", "Çığırtkan", "İbrahim", "Łukasz", "Ada", "Jürgen", "Øystein"]
)
def test_a_name_does_not_travel_however_it_is_spelt(name: str, spelling: str) -> None:
    body = orjson.dumps({"phone": "+905321234567", "data": {"name": name}})

    shown = without_echo(scrub(f"The entry {SPELLINGS[spelling](name)} is bad"), body)

    assert shown is not None
    assert shown.replace("user_", "").replace("_7", "") == "The entry […] is bad"


@pytest.mark.parametrize("packed", ["+905321234567", "ada@example.test"])
def test_an_address_in_base64_does_not_travel(packed: str) -> None:
    body = orjson.dumps({"to": packed})

    shown = without_echo(scrub(f"for {b64encode(packed.encode()).decode()}"), body)

    assert shown is not None
    assert shown.rstrip("=") == "for […]"


@pytest.mark.parametrize("escaped", ["\n", "\t", '"', "\\", "\x01"])
def test_a_name_behind_an_escape_of_the_body_is_found(escaped: str) -> None:
    body = orjson.dumps({"address": f"Street{escaped}Ada{escaped}Town"})

    assert without_echo("Ada, Town, Street", body) == "[…], […], […]"


def outcome(code: str | None, message: str | None = None) -> Outcome:
    return Outcome(Verdict.REJECTED, 400, code, message, divisible=True)


@pytest.mark.parametrize(
    ("code", "travels"),
    [
        ("E17", True),
        ("4711", True),
        ("Ada1990", False),
        ("ADA_YILMAZ1", False),
        ("yilmaz-7", False),
        ("adayilmaz12", False),
        ("123456", False),
        ("234567", False),  # the end of the number
        ("90532", False),  # its beginning
        ("53212", True),
        ("Gold22", False),
    ],
)
def test_a_code_of_the_calls_own_words_is_none(code: str, travels: bool) -> None:
    body = orjson.dumps({"+905321234567": {"name": "Ada Yılmaz", "id": "123456", "tier": "gold"}})
    said = outcome(code, "no")

    assert cleaned(said, body, {"13028"}) == (said if travels else replace(said, code=None))


def test_a_code_that_is_known_is_no_customers_word() -> None:
    body = orjson.dumps({"id": "13028", "name": "Bad Phone"})

    for code in ("13028", "BAD_PHONE"):
        assert cleaned(outcome(code), body, {"13028", "BAD_PHONE"}).code == code
    assert cleaned(outcome("13028"), body, ()).code is None


@pytest.mark.parametrize(
    ("reference", "travels"),
    [("846673197418938368", True), ("b-17", True), ("905321234567", False), ("adayilmaz", False)],
)
def test_a_reference_that_repeats_the_call_is_none(reference: str, travels: bool) -> None:
    body = orjson.dumps({"+905321234567": {"name": "Ada Yılmaz"}})
    said = Outcome(Verdict.ACCEPTED, 200, "00000", reference=reference)

    assert not is_clean(said, {"00000"})
    assert cleaned(said, body, {"00000"}) == (said if travels else replace(said, reference=None))


def test_what_says_nothing_of_its_own_need_not_be_looked_up() -> None:
    assert is_clean(outcome(None), ())
    assert is_clean(outcome("13028"), {"13028"})
    assert not is_clean(outcome("13999"), {"13028"})
    assert not is_clean(outcome("13028", "x"), {"13028"})


def test_a_word_is_found_wherever_the_parts_of_a_large_body_are_cut() -> None:
    names = [f"name{n}x" for n in range(40_000)]
    body = orjson.dumps(names)

    assert len(body) > 6 * PART
    assert without_echo(" ".join(names[::4_000]), body) == "[…]"
    assert without_echo("Ada", b"x" * 3 * PART + b" ada") == "[…]"


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_is_said_of_whatever_call_no_word_of_it_stays(said: str, data: str) -> None:
    body = orjson.dumps({"data": data.encode(errors="replace").decode()})

    shown = without_echo(scrub(said), body)

    assert shown is not None
    assert without_echo(shown, body) == shown
