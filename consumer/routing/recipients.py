"""Recipients: phone numbers to E.164, e-mail addresses to their normal form, and pseudonyms.

phonenumbers (Google's libphonenumber) and email-validator decide. Both are slow for a hot path
(tens of microseconds), so what is already in normal form is recognised by one regular expression
made of the libraries' own data. It says yes only where the library would return the same string;
everything else goes to the library. Foreign input never raises: what is no address is None.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Final

import phonenumbers
from email_validator import SPECIAL_USE_DOMAIN_NAMES, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES, EMAIL_MAX_LENGTH
from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc

CACHE_SIZE: Final = 8192
"""Addresses per cache, ≤ 254 characters each: customers come back, and routes share a customer."""
_MAX_PHONE: Final = 250  # phonenumbers refuses longer strings too

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
    """Whether `code` is a region for which there are numbering rules (ISO 3166-1, upper case)."""
    return code in phonenumbers.SUPPORTED_REGIONS


class PhoneNormaliser:
    """Phone numbers → E.164, or None when invalid.

    `region`: where a number without a calling code is dialled, or None: international form only.
    Text and positive integers are read. Raises ValueError for an unknown region.
    """

    __slots__ = ("_parse",)

    def __init__(self, region: str | None) -> None:
        if region is not None and not known_region(region):
            raise ValueError("unknown region: expected an ISO 3166-1 code in upper case, as TR")

        @lru_cache(CACHE_SIZE)
        def parse(raw: str) -> str | None:
            return _library_phone(raw, region)

        self._parse = parse

    def __call__(self, raw: object) -> str | None:
        """`raw`: what the event has → E.164 text or None."""
        if type(raw) is not str:
            if type(raw) is not int or not 0 < raw < 10**20:
                return None
            raw = str(raw)
        if _E164[raw[:4]](raw):
            return raw
        return self._parse(raw) if len(raw) <= _MAX_PHONE else None


def _library_phone(raw: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(raw, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


# ---- E.164, as the library's metadata has it -----------------------------------------------


def _nothing(_raw: str) -> None:
    return None


class _Matchers(dict[str, Callable[[str], object]]):
    """The first four characters → what recognises a valid number that begins with them.

    Filled on demand (compiling all regions takes seconds), with `+` and three digits only, so
    that foreign text cannot make it grow.
    """

    def __missing__(self, start: str) -> Callable[[str], object]:
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
    """What `parse` leaves as it is and `is_valid_number` accepts, of one calling code.

    The library takes the first region whose leading digits match (or, without such, that has the
    number) and then asks that region alone.
    """
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
    rules = [_metadata(code, region) for region in regions]
    prefix = rules[0].national_prefix_for_parsing  # parsing asks the main region
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
    """The general description, and one of the types; each has its lengths and its pattern."""
    types = (getattr(rule, name) for name in _TYPES)
    general = _description(rule.general_desc) or "(?!)"
    return f"(?={general}$)(?:{'|'.join(filter(None, map(_description, types))) or '(?!)'})"


def _description(desc: PhoneNumberDesc | None) -> str:
    """A number description as a pattern of its own; "" when it has none."""
    if desc is None or not desc.national_number_pattern:
        return ""
    lengths = "|".join(rf"\d{{{n}}}" for n in desc.possible_length if n > 0)
    only = rf"(?=(?:{lengths or '(?!)'})$)" if desc.possible_length else ""
    return f"{only}(?:{desc.national_number_pattern})"


# ---- e-mail --------------------------------------------------------------------------------


def _plain_email() -> re.Pattern[str]:
    """Addresses that the library returns unchanged: ASCII, no quotes, a lower-case domain.

    Left to the library: role names (it lowers their case), special-use domains, `--` (Punycode).
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
    """E-mail address → its normal form (lower-case domain, NFC), or None when it is none.

    Syntax only: nothing is looked up. Special-use domains (`test`, `local`, …) are refused.
    """
    if type(raw) is not str or len(raw) > EMAIL_MAX_LENGTH:
        return None
    if _is_plain_email(raw):
        return raw
    return _library_email(raw)


@lru_cache(CACHE_SIZE)
def _library_email(raw: str) -> str | None:
    try:
        return validate_email(raw, check_deliverability=False, test_environment=False).normalized
    except ValueError:  # the library's own errors, and those of IDNA and of Unicode
        return None


# ---- pseudonyms ----------------------------------------------------------------------------


def pseudonym(key_id: str, key: bytes, address: str) -> str:
    """`<key_id>:` and the HMAC-SHA-256 of an address, URL-safe base64 without padding."""
    return _named(key_id, hmac.digest(key, address.encode(), "sha256"))


def _named(key_id: str, digest: bytes) -> str:
    return f"{key_id}:{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def make_pseudonymiser(key_id: str, key: bytes) -> Callable[[str], str]:
    """`pseudonym` under one key, prepared once."""

    keyed = hmac.new(key, digestmod="sha256")

    def of(address: str) -> str:
        # Not hmac.digest: it gives up the GIL for every address, and other threads take it.
        mac = keyed.copy()
        mac.update(address.encode())
        return _named(key_id, mac.digest())

    return of
