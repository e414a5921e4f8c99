"""Recipients: the fast paths say what the libraries say, and nothing foreign raises."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random

import phonenumbers
import pytest
from email_validator import validate_email
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc

from consumer.routing.recipients import recipients
from consumer.routing.recipients.recipients import (
    PhoneNormaliser,
    known_region,
    make_pseudonymiser,
    normalise_email,
)

HOSTILE = [
    "",
    "+",
    "++90",
    "+90",
    "+0",
    "\x00",
    "+90\x00",
    "+90532\ud8001234567",
    "\ud800@\udfff.com",
    "a@b\x00.com",
    "a\n@b.com",
    "@",
    "a@",
    "x" * 10_000,
    "+" + "9" * 10_000,
    "a@" + "b." * 5_000 + "com",
    "a@xn--" + "9" * 200 + ".com",
    "+٩٠٥٣٢١٢٣٤٥٦٧",
    "+9²1",
    ";phone-context=+",
    "tel:5321234567;phone-context=",
]


def library_phone(raw: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(raw, region)
    except phonenumbers.NumberParseException:
        return None
    valid = phonenumbers.is_valid_number(number)
    return phonenumbers.format_number(number, 0) if valid else None


def library_email(raw: str) -> str | None:
    try:
        return validate_email(raw, check_deliverability=False).normalized
    except ValueError:
        return None


def examples() -> list[str]:
    """An example of every type of every region, and of the calling codes without a region."""
    types = phonenumbers.PhoneNumberType.values()
    regions = sorted(phonenumbers.SUPPORTED_REGIONS)
    found = [phonenumbers.example_number_for_type(r, t) for r in regions for t in types]
    codes = sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS)
    found += [phonenumbers.example_number_for_non_geo_entity(code) for code in codes]
    return [phonenumbers.format_number(number, 0) for number in found if number]


def mutate(number: str, luck: random.Random) -> str:
    digits = list(number)
    for _ in range(luck.randrange(4)):
        at = luck.randrange(1, len(digits))
        digits[at : at + luck.randrange(2)] = luck.choices("0123456789", k=luck.randrange(3))
    return "".join(digits) + "0" * (len(digits) < 2)


def test_every_example_number_of_the_library_is_e164_already() -> None:
    normalise = PhoneNormaliser(None)
    for number in examples():
        assert normalise(number) == library_phone(number, None) == number


def test_numbers_like_the_examples_are_what_the_library_says() -> None:
    luck, known = random.Random(20261122), examples()
    normalise = PhoneNormaliser("TR")
    for _ in range(6000):
        number = mutate(luck.choice(known), luck)
        assert normalise(number) == library_phone(number, "TR"), number


def test_random_numbers_of_every_calling_code_are_what_the_library_says() -> None:
    luck, normalise = random.Random(7), PhoneNormaliser(None)
    for code in [*phonenumbers.COUNTRY_CODE_TO_REGION_CODE, 2, 21, 999, 0]:
        for _ in range(10):
            number = f"+{code}" + "".join(luck.choices("0123456789", k=luck.randrange(5, 13)))
            assert normalise(number) == library_phone(number, None), number


def test_numbers_with_a_trunk_zero_are_what_the_library_says() -> None:
    """In every region, whether it has the quick way or not: Israel calls abroad by 013, too."""
    luck = random.Random(11)
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        types = phonenumbers.PhoneNumberType.values()
        found = (phonenumbers.example_number_for_type(region, each) for each in types)
        known = [str(number.national_number) for number in found if number]
        normalise = PhoneNormaliser(region)
        for _ in range(15):
            number = "0" + mutate(luck.choice(known), luck)
            assert normalise(number) == library_phone(number, region), (region, number)


def made_up(pattern: str, lengths: tuple[int, ...], leading: str, prefix: str) -> PhoneMetadata:
    desc = PhoneNumberDesc(national_number_pattern=pattern, possible_length=lengths)
    return PhoneMetadata(
        id="ZZ",
        general_desc=desc,
        mobile=desc,
        leading_digits=leading or None,
        national_prefix_for_parsing=prefix or None,
        register=False,
    )


@pytest.mark.parametrize(
    ("prefix", "valid"),
    [("", ["5512", "5123", "51234", "8123"]), ("8?", ["5512", "5123", "51234"]), ("5", ["8123"])],
)
def test_the_fast_path_heeds_lengths_leading_digits_and_what_parsing_might_strip(
    prefix: str, valid: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made-up rules: in today's metadata these guards never change the outcome."""
    first, other = made_up(r"5\d+", (4,), "55", prefix), made_up(r"[58]\d+", (4, 5), "", "")
    monkeypatch.setattr(
        recipients, "_metadata", lambda _, region: first if region == "US" else other
    )
    accepts = recipients._valid_e164.__wrapped__(1).fullmatch
    numbers = ["5512", "5123", "55123", "51234", "512345", "8123"]
    assert [n for n in numbers if accepts(f"+1{n}")] == valid


@pytest.mark.parametrize(
    ("raw", "region", "expected"),
    [
        ("+905321234567", None, "+905321234567"),
        ("0532 123 45 67", "TR", "+905321234567"),
        ("(532) 123-4567", "TR", "+905321234567"),
        (5321234567, "TR", "+905321234567"),
        (905321234567, "TR", "+905321234567"),
        ("5321234567", None, None),
        ("+9005321234567", None, "+905321234567"),
        ("+905", None, None),
        ("12", "TR", None),
        ("+39061234567", None, "+39061234567"),
        (True, "TR", None),
        (-5321234567, "TR", None),
        (10**30, "TR", None),
        (5321234567.0, "TR", None),
        (None, "TR", None),
        (["+905321234567"], "TR", None),
    ],
)
def test_phone_numbers_become_e164_or_nothing(
    raw: object, region: str | None, expected: str | None
) -> None:
    assert PhoneNormaliser(region)(raw) == expected


def test_an_integer_too_long_for_text_is_no_number() -> None:
    assert PhoneNormaliser("TR")(10**5000) is None


def test_regions_are_known_or_refused() -> None:
    assert known_region("TR")
    assert not known_region("tr")
    assert not known_region("XX")
    with pytest.raises(ValueError, match="ISO 3166-1"):
        PhoneNormaliser("tr")


@pytest.mark.parametrize("raw", HOSTILE)
def test_hostile_text_is_no_address(raw: str) -> None:
    assert PhoneNormaliser("TR")(raw) in {None, "+905321234567"}
    assert normalise_email(raw) is None


@given(st.text(st.characters(), max_size=30))
def test_no_text_raises(raw: str) -> None:
    assert PhoneNormaliser("TR")(raw) in {None, library_phone(raw, "TR")}
    assert library_email(raw) in {None, normalise_email(raw)}


def texted(number: str) -> bool:
    """What the library says of its type."""
    found = phonenumbers.number_type(phonenumbers.parse(number))
    names = ("FIXED_LINE", "PREMIUM_RATE", "TOLL_FREE", "SHARED_COST", "UAN", "VOICEMAIL")
    return found not in {getattr(phonenumbers.PhoneNumberType, name) for name in names}


def test_text_messages_go_to_numbers_that_the_plan_does_not_know_as_fixed_or_premium() -> None:
    luck, normalise = random.Random(11), PhoneNormaliser("TR")
    known = examples()
    for number in [*known, *(mutate(luck.choice(known), luck) for _ in range(3000))]:
        valid = library_phone(number, "TR")
        assert normalise.texts(number) == (valid if valid and texted(valid) else None), number


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("0216 123 45 67", None),
        ("+902161234567", None),
        ("+909001234567", None),
        ("0532 123 45 67", "+905321234567"),
        (5321234567, "+905321234567"),
        ("bad", None),
        (None, None),
    ],
)
def test_a_fixed_line_takes_texts_only_if_the_route_says_so(
    raw: object, number: str | None
) -> None:
    assert PhoneNormaliser("TR").texts(raw) == number
    also = PhoneNormaliser("TR", ["fixed_line"])
    assert also.texts(raw) == (number or ("+902161234567" if "216" in str(raw) else None))


LABELS = ["a", "B", "x-y", "-", "a--b", "xn--bcher-kva", "com", "TR", "c0m", "1", "", "mytest"]
LABELS += ["test", "local", "onion", "localhost", "arpa", "invalid", "example", "ı", "é"]
LABELS += ["a" * 63, "a" * 64]
LOCALS = ["a", "Info", "SALES", "info.x", "john.Doe", ".a", "a.", "a..b", "postmaster", "a+b"]
LOCALS += ["a_b-c", "é", '"q"', "o'neil", "A@B", "<a", "a b", "", "x" * 64, "x" * 188, "x" * 189]


@pytest.mark.parametrize("local", LOCALS)
def test_an_address_is_what_the_library_says(local: str) -> None:
    for label in LABELS:
        for domain in (
            label,
            f"{label}.com",
            f"a.{label}",
            f"{label}.{'b' * 61}.tr",
            f"b.co{label}",
        ):
            for end in ("", "\n"):
                raw = f"{local}@{domain}{end}"
                expected = library_email(raw) or library_email(raw.rstrip().removesuffix("."))
                assert normalise_email(raw) == expected, raw


@given(st.from_regex(r"\A[A-Za-z0-9_+.-]{1,12}@[A-Za-z0-9.-]{1,12}\.[a-z]{1,6}\Z"))
def test_an_ordinary_address_is_what_the_library_says(raw: str) -> None:
    assert normalise_email(raw) == (library_email(raw) or library_email(raw.removesuffix(".")))


def test_only_text_is_an_email() -> None:
    assert normalise_email("Ayse.Yilmaz@Example.COM") == "Ayse.Yilmaz@example.com"
    assert normalise_email(b"a@b.com") is None
    assert normalise_email(None) is None


@given(st.binary(min_size=1, max_size=80), st.text(st.characters(codec="utf-8"), max_size=40))
def test_a_pseudonym_is_the_keyed_hash_with_the_key_id_in_front(key: bytes, address: str) -> None:
    pseudonymise = make_pseudonymiser("k1", key)
    key_id, _, digest = pseudonymise(address).partition(":")
    assert key_id == "k1"
    assert len(digest) == 43
    expected = hmac.new(key, address.encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(digest + "=") == expected
    assert pseudonymise(address) == f"k1:{digest}"  # no address leaves a trace in the next
