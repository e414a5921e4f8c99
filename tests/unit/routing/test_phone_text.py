"""Phone texts: only what is certainly one phone number is one, and letters are never digits."""

from __future__ import annotations

import string
import unicodedata

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from consumer.routing.recipients import recipients
from consumer.routing.recipients.phone_text import MAX_PHONE, phone_readings
from consumer.routing.recipients.recipients import PhoneNormaliser

PHONE = "+905321234567"
TR, DE, IT, US = (PhoneNormaliser(region) for region in ("TR", "DE", "IT", "US"))

REFUSED = {
    "three masked digits": "+905321234XXX",
    "masked in the middle": "+90532XXX4567",
    "masked by one small letter": "+90532123456x",
    "masked by stars": "+90532123****",
    "masked by stars in front": "*****1234567",
    "one star inside": "+90532*1234567",
    "masked by bullets": "+90532123\u2022\u2022\u2022\u2022",
    "masked by number signs": "+90532123####",
    "masked by underscores": "+90532123____",
    "masked by question marks": "+905321234567??",
    "an O for a 0": "O5321234567",
    "an l for a 1": "+90532l234567",
    "a vanity number": "0532 GETFOOD",
    "a float": "905321234567.0",
    "a float with two zeros": "905321234567.00",
    "a float with six zeros": "+905321234567.000000",
    "scientific": "9.05321E+11",
    "scientific in small letters": "9.05321234567e11",
    "two numbers and a slash": f"{PHONE}/{PHONE}",
    "two national numbers and a slash": "05321234567/05321234568",
    "a number and its next": "0532 123 45 67/68",
    "two numbers and a comma": f"{PHONE},{PHONE}",
    "two numbers and a semicolon": "05321234567;05321234568",
    "two numbers and a line break": "05321234567\n05321234568",
    "two numbers and a bar": "05321234567|05321234568",
    "two plus signs": "+90+5321234567",
    "a negative number": "-5321234567",
    "a formula": "=5321234567",
    "a service code": "*31#05321234567",
    "a WhatsApp address": "905321234567@s.whatsapp.net",
    "another scheme": "sip:+905321234567",
    "a word before": "Mobile: +905321234567",
    "a word behind": "+905321234567 (work)",
    "an extension without digits": "+905321234567 ext",
    "superscript digits": "+90532123456\u2077",
    "a NUL inside": "+90532\x001234567",
    "three slashes": "0532/123/45/67",
    "nothing but noise": " ' ",
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED)
def test_a_text_that_may_be_another_number_is_refused(raw: str) -> None:
    assert phone_readings(raw, "90") == ()
    assert TR(raw) is DE(raw) is None


READ = {
    "E.164": PHONE,
    "blanks": "+90 532 123 45 67",
    "blanks around": f"  {PHONE}\t",
    "a padded field": "05321234567".ljust(50),
    "brackets": "(0532) 123-45-67",
    "brackets around the calling code": "(+90) 532 123 45 67",
    "dots": "532.123.45.67",
    "grouped by thousands": "5.321.234.567",
    "a slash behind the area code": "0532/1234567",
    "a dash of typography": "0532\u2013123\u201145\u221267",
    "blanks without a break": "0532\xa0123\u202f45\u200967",
    "without a glyph": f"\u202a{PHONE}\u202c\u200b",
    "quotes": f'"{PHONE}"',
    "an apostrophe of a spreadsheet": f"'{PHONE}",
    "a comma behind": f"{PHONE},",
    "full-width": "\uff0b\uff19\uff10\uff15\uff13\uff12\uff11\uff12\uff13\uff14\uff15\uff16\uff17",
    "Arabic digits": "+\u0669\u0660\u0665\u0663\u0662\u0661\u0662\u0663\u0664\u0665\u0666\u0667",
    "tel": f"tel:{PHONE}",
    "Tel and a blank": f"Tel: {PHONE}",
    "whatsapp": f"whatsapp:{PHONE}",
    "sms": "SMS:05321234567",
    "RFC 3966": "tel:532-123-4567;phone-context=+90",
    "an extension of RFC 3966": f"tel:{PHONE};ext=12",
    "an extension": f"{PHONE} ext. 12",
    "an extension by x": f"{PHONE}x12",
    "an extension in Turkish": f"{PHONE} dahili 12",
    "the optional zero": "+90 (0) 532 123 45 67",
    "the optional zero in other brackets": "+90[0]5321234567",
    "00": "00905321234567",
    "the calling code without +": "905321234567",
}


@pytest.mark.parametrize("raw", READ.values(), ids=READ)
def test_noise_around_and_between_the_digits_of_one_number_is_forgiven(raw: str) -> None:
    assert TR(raw) == PHONE


@given(
    st.text(st.sampled_from(string.digits + " +-().,/;:xXeEoO*#\u200b\uff11\u0661abt"), max_size=24)
)
def test_every_digit_of_a_number_stands_in_its_text_in_that_order(raw: str) -> None:
    """Nothing but a calling code is added in front, and nothing but a 0 or an extension lost."""
    number = TR(raw)
    if number is not None:
        digits = "".join(str(unicodedata.decimal(c)) for c in raw if c.isdecimal())
        national = number.removeprefix("+90")
        assert national.lstrip("+") in digits.replace("(0)", "")


LETTERS = st.characters(categories=["L"])


@given(st.integers(0, 9_999_999), st.integers(1, 12), LETTERS, st.integers(1, 3))
def test_a_letter_inside_a_number_is_never_a_digit(
    digits: int, at: int, letter: str, often: int
) -> None:
    text = f"+90532{digits:07d}"
    masked = text[:at] + letter * often + text[at + often :]
    assume(letter not in "xX" or often > 1 or at > 11)
    assert TR(masked) is DE(masked) is None


@given(st.integers(0, 9_999_999), st.sampled_from(["+90", "0", "", "90", "0090"]), st.data())
def test_a_number_is_read_however_it_is_grouped(
    digits: int, start: str, data: st.DataObject
) -> None:
    text = f"532{digits:07d}"
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(1, len(text) - 1))
        text = text[:at] + data.draw(st.sampled_from(" -\xa0)(")) + text[at:]
    assert TR(start + text) == f"+90532{digits:07d}"


@pytest.mark.parametrize(
    ("normalise", "raw", "number"),
    [
        (DE, "4915112345678", "+4915112345678"),
        (DE, "+49 (0)151 12345678", "+4915112345678"),
        (IT, "393312345678", "+393312345678"),
        (IT, "3906123456", "+393906123456"),
        (IT, "+39 (0) 331 1234567", "+393311234567"),
        (IT, "+39 (0)6 12345678", "+390612345678"),
        (US, "16502530000", "+16502530000"),
        (US, "6502530000", "+16502530000"),
        (TR, "905321234567", PHONE),
    ],
)
def test_of_two_meanings_the_mobile_one_is_taken_and_no_calling_code_given_twice(
    normalise: PhoneNormaliser, raw: str, number: str
) -> None:
    assert normalise(raw) == number


def test_no_mobile_number_is_given_its_regions_calling_code_twice() -> None:
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        if example and example.country_code == phonenumbers.country_code_for_region(region):
            number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
            assert PhoneNormaliser(region)(number[1:]) == number


@pytest.mark.parametrize(
    ("padding", "number"), [(MAX_PHONE - 13, PHONE), (MAX_PHONE - 12, None), (10_000, None)]
)
def test_a_longer_text_is_refused_before_it_is_parsed(padding: int, number: str | None) -> None:
    assert TR("+90" + " " * padding + "5321234567") == number


@pytest.mark.parametrize("region", ["TR", "US"])
def test_every_route_of_every_region_shares_one_bounded_cache(region: str) -> None:
    """A cache of its own for each of 300 routes took 650 MB."""
    before = recipients._cached_phone.cache_info()
    for _ in range(300):
        PhoneNormaliser(region)("0532 999 11 22")
    after = recipients._cached_phone.cache_info()
    assert after.misses - before.misses <= 1
    assert after.hits - before.hits >= 299
    assert after.maxsize == recipients.CACHE_SIZE
