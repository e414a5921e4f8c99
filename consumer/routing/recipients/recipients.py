"""Recipients: phone numbers to E.164, e-mail addresses to their normal form, pseudonyms.

phonenumbers (Google's libphonenumber) and email-validator decide. Both are slow for a hot path
(tens of microseconds). So one regular expression, built from the libraries' own data, recognises
what is already in normal form; it matches only if the library would return the same string.
Everything else is freed of noise (`phone_text`, `email_text`) and goes to the library. Foreign
input never raises: an invalid address is None.
"""

from __future__ import annotations

import hashlib
import re
from binascii import b2a_base64
from collections.abc import Callable, Collection, Iterator
from functools import cache, lru_cache
from typing import Final, Literal, get_args

import phonenumbers
from email_validator import SPECIAL_USE_DOMAIN_NAMES, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES, EMAIL_MAX_LENGTH
from phonenumbers import PhoneNumberType
from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc

from consumer.routing.recipients.email_text import MAX_EMAIL_TEXT, email_text, has_dotted_i
from consumer.routing.recipients.phone_text import MAX_PHONE, phone_readings

CACHE_SIZE: Final = 8192
"""Addresses per cache, ≤ 320 characters each: customers return, and routes share customers.

One cache holds phones and one e-mail addresses, whatever the number of routes."""

UntextedType = Literal["fixed_line", "premium_rate", "toll_free", "shared_cost", "uan", "voicemail"]
"""Types of numbers in a numbering plan that text messages do not, or should not, reach."""
_UNTEXTED: Final[dict[int, str]] = {
    getattr(PhoneNumberType, name.upper()): name for name in get_args(UntextedType)
}

_TYPES: Final = (
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
    "fixed_line",
    "mobile",
)


def known_region(code: str) -> bool:
    """Tell whether `code` is a region with numbering rules (ISO 3166-1, upper case)."""
    return code in phonenumbers.SUPPORTED_REGIONS


class PhoneNormaliser:
    """Normalises phone numbers to E.164, or None if invalid.

    `region`: where a number without a calling code is dialled, or None: international form only.
    Accepts text and positive integers. `texted`: types that `texts` accepts beside those that text
    messages reach. Raises ValueError for an unknown region.
    """

    __slots__ = ("_region", "_texted")

    def __init__(self, region: str | None, texted: Collection[UntextedType] = ()) -> None:
        if region is not None and not known_region(region):
            raise ValueError("unknown region: expected an ISO 3166-1 code in upper case, as TR")
        self._region, self._texted = region, frozenset[str](texted)

    def __call__(self, raw: object) -> str | None:
        """Normalise an event's value to E.164, or None."""
        if type(raw) is str and _E164[raw[:4]](raw):
            return raw
        return self._read(raw)

    def texts(self, raw: object) -> str | None:
        """Normalise likewise, but return None for a type of number that no text message reaches."""
        if type(raw) is str and (found := _E164[raw[:4]](raw)) and found.lastindex:
            return raw
        number = self(raw)
        if number is None or ((found := _E164[number[:4]](number)) and found.lastindex):
            return number
        return number if _untexted(number) in self._texted | {None} else None

    def _read(self, raw: object) -> str | None:
        if type(raw) is int and 0 < raw < 10**20:
            raw = str(raw)
        if type(raw) is not str:
            return None
        read = _cached_phone if len(raw) <= MAX_PHONE else _read_phone
        return read(raw, self._region)


def _read_phone(raw: str, region: str | None) -> str | None:
    """Return the first mobile reading of a text, else the likeliest."""
    likeliest = None
    for text in phone_readings(raw, _calling_code(region)):
        number = _e164(text, region)
        if number and (found := _E164[number[:4]](number)) and found.lastindex:
            return number
        likeliest = likeliest or number
    return likeliest


_cached_phone = lru_cache(CACHE_SIZE)(_read_phone)


@cache
def _calling_code(region: str | None) -> str:
    return str(phonenumbers.country_code_for_region(region)) if region else ""


@cache
def _trunk_zero_code(region: str | None) -> str:
    """Return the calling code of a region where a national number is a zero and what follows the
    code; "" for others: several regions with the code, another prefix, one that parsing rewrites,
    or international calls that do not begin with 00.

    There parsing strips the zero if the rest is a number of the region.
    """
    code = phonenumbers.country_code_for_region(region) if region else 0
    if not region or phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code) != (region,):
        return ""
    rule = _metadata(code, region)
    prefixes = rule.international_prefix, rule.national_prefix_for_parsing
    plain = prefixes == ("00", "0") and not rule.national_prefix_transform_rule
    return str(code) if plain else ""


def _e164(text: str, region: str | None) -> str | None:
    if text[:1] == "0" and text[1:2] != "0" and (code := _trunk_zero_code(region)):
        international = f"+{code}{text[1:]}"
        if _E164[international[:4]](international):
            return international
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(CACHE_SIZE)
def _untexted(number: str) -> str | None:
    """Return the type of an E.164 number if no text message reaches it, else None."""
    return _UNTEXTED.get(phonenumbers.number_type(phonenumbers.parse(number, None)))


# ---- E.164 by the library's metadata --------------------------------------------------------


def _nothing(_raw: str) -> None:
    return None


class _Matchers(dict[str, Callable[[str], re.Match[str] | None]]):
    """The first four characters → the matcher of valid numbers that begin with them.

    The match has a group if the number is mobile and of no untexted type but `fixed_line`.
    Filled on demand (compiling all regions takes seconds), for `+` and three digits only, so that
    foreign text cannot make it grow.
    """

    def __missing__(self, start: str) -> Callable[[str], re.Match[str] | None]:
        digits = start[1:]
        if start[:1] != "+" or len(digits) != 3 or not (digits.isascii() and digits.isdigit()):
            return _nothing
        codes = (int(digits[:length]) for length in (1, 2, 3))
        code = next((c for c in codes if c in phonenumbers.COUNTRY_CODE_TO_REGION_CODE), None)
        self[start] = _nothing if code is None else _valid_e164(code).fullmatch
        return self[start]


_E164: Final = _Matchers()


@cache
def _valid_e164(code: int) -> re.Pattern[str]:
    """Compile the numbers of one calling code that `parse` keeps and `is_valid_number` accepts.

    The library takes the first region whose leading digits match (or, without such, that has the
    number) and then asks that region alone.
    """
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
    rules = [_metadata(code, region) for region in regions]
    prefix = rules[0].national_prefix_for_parsing  # parsing uses the main region
    strip = rf"(?!(?:{prefix})(?<!\+{code}))" if prefix else ""
    return re.compile(rf"\+{code}{strip}(?:{'|'.join(_by_region(rules))})", re.ASCII)


def _metadata(code: int, region: str) -> PhoneMetadata:
    found = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    assert found is not None, "the library lists a region that it has no rules for"  # noqa: S101
    return found


def _by_region(rules: list[PhoneMetadata]) -> Iterator[str]:
    earlier = ""
    for rule in rules:
        leading = rule.leading_digits if len(rules) > 1 else None
        mine = f"(?={leading})" if leading else ""
        yield f"{earlier}{mine}{_region_pattern(rule)}"
        earlier += f"(?!{leading})" if leading else ""


def _region_pattern(rule: PhoneMetadata) -> str:
    """Return a pattern of the general description and one of the types, each with its lengths."""
    general = _description(rule.general_desc) or "(?!)"
    untexted = [name for name in get_args(UntextedType) if name != "fixed_line"]
    mobile = f"((?!(?:{_one_of(rule, untexted)})$){_description(rule.mobile) or '(?!)'})"
    return f"(?={general}$)(?:{mobile}|{_one_of(rule, _TYPES)})"


def _one_of(rule: PhoneMetadata, types: Collection[str]) -> str:
    found = (_description(getattr(rule, name)) for name in types)
    return "|".join(filter(None, found)) or "(?!)"


def _description(desc: PhoneNumberDesc | None) -> str:
    """Return a number description as a pattern of its own; "" if it has none."""
    if desc is None or not desc.national_number_pattern:
        return ""
    lengths = "|".join(rf"\d{{{n}}}" for n in desc.possible_length if n > 0)
    only = rf"(?=(?:{lengths or '(?!)'})$)" if desc.possible_length else ""
    return f"{only}(?:{desc.national_number_pattern})"


# ---- e-mail --------------------------------------------------------------------------------


def _plain_email() -> re.Pattern[str]:
    """Compile the addresses that the library returns unchanged: ASCII, a lower-case domain.

    Left to the library: quotes, role names (it lowers their case), special-use domains, `--`
    (Punycode).
    """
    roles = "|".join(map(re.escape, CASE_INSENSITIVE_MAILBOX_NAMES))
    special = "".join(rf"(?<![@.]{re.escape(name)})" for name in SPECIAL_USE_DOMAIN_NAMES)
    atom = r"[A-Za-z0-9_+-]+"
    label = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    return re.compile(
        rf"(?!(?i:{roles})@)(?!.*--){atom}(?:\.{atom})*@(?:{label}\.)+[a-z]{{2,63}}{special}"
    )


_is_plain_email: Final = _plain_email().fullmatch


def normalise_email(raw: object) -> str | None:
    """Normalise an e-mail address (lower-case domain, NFC), or return None if it is none.

    Syntax only: no DNS look-up. Special-use domains (`test`, `local`, …) are refused.
    """
    if type(raw) is not str:
        return None
    if len(raw) <= EMAIL_MAX_LENGTH and _is_plain_email(raw):
        return raw
    return _library_email(raw) if len(raw) <= MAX_EMAIL_TEXT else _read_email(raw)


def _read_email(raw: str) -> str | None:
    """Validate as it stands, and only then without noise: a valid address is never altered."""
    found = None if has_dotted_i(raw) else _valid_email(raw)
    text = email_text(raw)
    return _valid_email(text) if found is None and text and text != raw else found


_library_email = lru_cache(CACHE_SIZE)(_read_email)


def _valid_email(raw: str) -> str | None:
    if len(raw) > EMAIL_MAX_LENGTH:
        return None
    try:
        return validate_email(raw, check_deliverability=False, test_environment=False).normalized
    except ValueError:  # of the library, of IDNA and of Unicode
        return None


# ---- pseudonyms ----------------------------------------------------------------------------

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_BLOCK: Final = 64
"""Bytes of a block of SHA-256."""


def make_pseudonymiser(key_id: str, key: bytes) -> Callable[[str], str]:
    """Return the function of an address to its pseudonym under one key.

    That is `<key_id>:` and the address's HMAC-SHA-256, as URL-safe base64 without padding. The two
    blocks that depend on the key alone are hashed once (RFC 2104, section 4): `hmac` takes 1.5 µs
    an address, this 0.9.
    """
    short = hashlib.sha256(key).digest() if len(key) > _BLOCK else key
    padded, start = short.ljust(_BLOCK, b"\0"), f"{key_id}:"
    begin_inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded)).copy
    begin_outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded)).copy

    def pseudonym(address: str) -> str:
        inner, outer = begin_inner(), begin_outer()
        inner.update(address.encode())
        outer.update(inner.digest())
        text = b2a_base64(outer.digest(), newline=False).translate(_URL_SAFE)
        return start + text[:-1].decode()  # 32 bytes end with one `=`

    return pseudonym
