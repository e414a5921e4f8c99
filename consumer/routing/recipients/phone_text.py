"""Extracts from phone texts the digits to look up in a numbering plan.

A text passes only if it is certainly one phone number: digits of any script, one `+` before them,
blanks, dashes, dots, brackets and one slash between them. A letter is never a digit, for
`+905321234XXX` is a masked number and `+905321234999` a stranger's. Letters pass in a leading
scheme (`tel:`, `sms:`, `whatsapp:`) and in a trailing extension (`ext. 12`), which is dropped. `*`
and other signs may be masked digits, a second number or a formula: refused. Numbers that a
spreadsheet or a float produced (`905321234567.0`, `9.05E+11`) are refused, too: their digits are
not the phone number's.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_PHONE: Final = 40
"""Characters of a phone text without blanks around it; E.164 has 15 digits."""
_MAX_PADDED: Final = 250

_FORMAT: Final = "\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
without_format: Final = re.compile(f"[{_FORMAT}]").sub
"""Removes characters without a glyph (zero width, direction), which copying from a page brings."""

_CONTROL: Final = "".join(map(chr, [*range(0x21), *range(0x7F, 0xA1)]))
_OUTER: Final = _CONTROL + "\u2007\u202f\u3000'\"`\u2018\u2019\u201c\u201d,;"
_BLANK: Final = r" \t\xa0\u2000-\u200a\u202f\u205f\u3000"
_BETWEEN: Final = rf"[{_BLANK}.\uff0e()\uff08\uff09\[\]/\uff0f\-\u2010-\u2015\u2212\u30fc\uff0d]*"

_PHONE: Final = re.compile(
    rf"""
    (?:(?:tel|sms|whatsapp):(?://)?\s*)?
    [{_BLANK}(\uff08\[]*
    (?P<body>[+\uff0b]?[{_BLANK}(\[]*\d(?:{_BETWEEN}\d){{3,}})
    [{_BLANK}.)\uff09\]-]*
    (?:;phone-context=(?P<context>\+\d{{1,3}}))?
    (?:(?:;ext=|[{_BLANK},;]*(?:ext(?:n|ension)?|x|int|dahili|anexo|\u0434\u043e\u0431)[.:]?[{_BLANK}]*)
       \d{{1,7}}\#?)?
    """,
    re.VERBOSE | re.IGNORECASE,
).fullmatch
_made_of_a_float: Final = re.compile(r"[+\uff0b]?\d+[.\uff0e](?:\d{1,2}|0+)").fullmatch
_OPTIONAL_ZERO: Final = re.compile(rf"[(\uff08\[][{_BLANK}]*0[{_BLANK}]*[)\uff09\]]")
_SLASH: Final = re.compile(r"[/\uff0f]")
_AREA: Final = 8
"""Digits before a slash, at most: calling and area code. More are a number of their own."""


def phone_readings(raw: str, calling_code: str) -> tuple[str, ...]:
    """Return the possible readings, likeliest first: digits, with `+` if international.

    Empty if it is no phone text. `calling_code`: of the region in which it is dialled, or "".
    Without `+` it is read as national; if it begins with the region's own calling code, as
    international first. `(0)` is read with the zero and without it.
    """
    text = raw.strip(_OUTER) if len(raw) <= _MAX_PADDED else raw
    if not text.isascii():
        text = without_format("", text).strip(_OUTER)
    found = _PHONE(text) if len(text) <= MAX_PHONE else None
    if found is None or _made_of_a_float(found["body"]) or _two_numbers(found["body"]):
        return ()
    start = _digits(found["context"] or "")
    bodies = dict.fromkeys([found["body"], _OPTIONAL_ZERO.sub("", found["body"], count=1)])
    texts = [text for body in bodies for text in _forms(body, start, calling_code)]
    return tuple(dict.fromkeys(texts))


def _forms(body: str, start: str, calling_code: str) -> list[str]:
    digits = _digits(body)
    if body[0] in "+\uff0b":
        return [f"+{digits}"]
    if start:
        return [f"+{start}{digits}"]
    international = bool(calling_code) and digits.startswith(calling_code)
    return [f"+{digits}", digits] if international else [digits]


def _two_numbers(body: str) -> bool:
    parts = _SLASH.split(body)
    return len(parts) > 2 or (len(parts) == 2 and len(_digits(parts[0])) > _AREA)


def _digits(text: str) -> str:
    """Return the digits of any script as 0 to 9."""
    return "".join(str(unicodedata.decimal(sign)) for sign in text if sign.isdecimal())
