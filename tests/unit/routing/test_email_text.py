"""E-mail texts: noise is forgiven, what was an address before stays the same."""

from __future__ import annotations

import pytest
from email_validator import validate_email
from hypothesis import given
from hypothesis import strategies as st

from consumer.routing.recipients.email_text import MAX_EMAIL_TEXT, email_text
from consumer.routing.recipients.recipients import normalise_email

MAIL = "ada@example.com"

FORGIVEN = {
    "blanks": f"  {MAIL}\t",
    "a line break": f"{MAIL}\r\n",
    "a blank without a break": f"\xa0{MAIL}\u3000",
    "zero width": f"\u200b{MAIL}\ufeff",
    "zero width inside": "ada\u200b@exam\u2060ple.com",
    "direction": f"\u202a{MAIL}\u202c",
    "a trailing dot": f"{MAIL}.",
    "angle brackets": f"<{MAIL}>",
    "mailto": f"mailto:{MAIL}",
    "MAILTO in brackets": f"<MAILTO:{MAIL}>",
    "mailto of brackets": f"mailto:<{MAIL}>",
    "quotes": f'"{MAIL}"',
    "apostrophes": f"'{MAIL}'",
    "a semicolon": f"{MAIL};",
    "a comma": f"{MAIL} ,",
    "a padded field": MAIL.ljust(400),
    "all of it": f" \u200b<mailto:{MAIL}.> ",
    "an upper-case domain": "ada@EXAMPLE.COM",
}


@pytest.mark.parametrize("raw", FORGIVEN.values(), ids=FORGIVEN)
def test_noise_around_an_address_is_forgiven(raw: str) -> None:
    assert normalise_email(raw) == MAIL


REFUSED = {
    "two dots behind": f"{MAIL}..",
    "a dot in front": f".{MAIL}",
    "a name": f"Ada <{MAIL}>",
    "two addresses": f"{MAIL},bob@example.com",
    "two addresses and a semicolon": f"{MAIL};bob@example.com",
    "a blank inside": "ada b@example.com",
    "half a bracket": f"<{MAIL}",
    "a header": f"{MAIL}\r\nBcc: x@y.com",
    "a query": f"mailto:{MAIL}?subject=x",
    "brackets thrice": f"<<<<{MAIL}>>>>",
    "an unclear domain": "info@\u0130\u015eBANKASI.COM",
    "an unclear name": "\u0130\u015eBANKASI@\u015fehir.com",
    "one bracket": "<",
    "nothing": " ",
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED)
def test_what_may_be_another_address_is_none(raw: str) -> None:
    assert normalise_email(raw) is None


@pytest.mark.parametrize(
    ("raw", "address"),
    [
        ("\u0130NFO@F\u0130RMA.COM.TR", "info@firma.com.tr"),
        ("\u0130nfo@firma.com.tr", "info@firma.com.tr"),
        ("AL\u0130.VEL\u0130@FIRMA.COM.TR", "ali.veli@firma.com.tr"),
        ("\u0130NFO@FIRMA.COM.TR", "info@firma.com.tr"),
        ("info@F\u0130RMA.com.tr", "info@firma.com.tr"),
        ("i\u0307nfo@fi\u0307rma.com.tr", "info@firma.com.tr"),
        ("I\u0307NFO@FI\u0307RMA.COM.TR", "info@firma.com.tr"),
        (" <\u0130NFO@F\u0130RMA.COM.TR.> ", "info@firma.com.tr"),
        ("info@\u0130\u015e.COM", "info@i\u015f.com"),
        ("info@f\u0131rma.com.tr", "info@f\u0131rma.com.tr"),
        ("info@i\u015fbankas\u0131.com", "info@i\u015fbankas\u0131.com"),
    ],
)
def test_the_upper_case_of_a_turkish_till_is_a_case(raw: str, address: str) -> None:
    assert normalise_email(raw) == address


ATOM = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789"), min_size=1, max_size=8)
ADDRESS = st.tuples(ATOM, ATOM).map(lambda parts: f"{parts[0]}@x{parts[1]}x.com.tr")


@given(ADDRESS.filter(lambda address: "i" in address))
def test_an_address_that_a_turkish_till_put_in_capitals_is_that_address(address: str) -> None:
    capitals = address.replace("i", "\u0130").upper()
    local, _, domain = normalise_email(capitals).partition("@")  # type: ignore[union-attr]
    assert f"{local.lower()}@{domain}" == address


@given(st.text(st.sampled_from("aI\u0131\xe9@.-_'\" x"), max_size=20) | ADDRESS)
def test_what_the_library_takes_stays_as_the_library_has_it(raw: str) -> None:
    """Its pseudonym names the customer in all earlier results."""
    try:
        known = validate_email(raw, check_deliverability=False).normalized
    except ValueError:
        return
    assert normalise_email(raw) == known


@given(st.text(st.characters(), max_size=40))
def test_no_text_raises_and_the_result_is_in_normal_form(raw: str) -> None:
    found = normalise_email(raw)
    assert found is None or normalise_email(found) == found


def test_a_text_that_is_too_long_is_not_parsed() -> None:
    assert email_text("x" * MAX_EMAIL_TEXT) is not None
    assert email_text("x" * (MAX_EMAIL_TEXT + 1)) is None
    assert normalise_email(" " * 1_000 + MAIL) is None
