"""Repairs e-mail texts that are no address as they stand, if the meant address is certain.

Removed: blanks, quotes, a comma or semicolon around it, characters without a glyph anywhere, one
trailing dot, `<…>` and `mailto:`. Repaired, too: the upper case of a Turkish till, which makes `İ`
of every `i` (other programs make `i` with a combining dot of that `İ`): `İNFO@FİRMA.COM.TR` is
info@firma.com.tr. An `I` beside it is an `i` if all the rest is ASCII. Beside other letters
(`İŞBANKASI.COM`) it may be an `ı`, and so another address: refused.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from consumer.routing.recipients.phone_text import without_format

MAX_EMAIL_TEXT: Final = 320
"""Characters of an e-mail text without blanks around it."""
_MAX_PADDED: Final = 1000

_OUTER: Final = "".join(map(chr, [*range(0x21), *range(0x7F, 0xA1)])) + "\u2007\u202f\u3000,;"
_PAIRS: Final = frozenset({"<>", '""', "''", "\u2018\u2019", "\u201c\u201d"})
_DOTTED: Final = "\u0130"  # LATIN CAPITAL LETTER I WITH DOT ABOVE
_DOT_ABOVE: Final = "i\u0307"


def email_text(raw: str) -> str | None:
    """Return the text without noise around it, or None if it is too long or ambiguous."""
    text = raw.strip(_OUTER) if len(raw) <= _MAX_PADDED else raw
    if len(text) > MAX_EMAIL_TEXT:
        return None
    if not text.isascii():
        text = without_format("", text).strip(_OUTER)
    text = _unwrapped(text).removesuffix(".")
    return text if text.isascii() else _turkish(unicodedata.normalize("NFC", text))


def has_dotted_i(text: str) -> bool:
    """Tell whether a text has a Turkish upper case `i`, as that letter or lowered elsewhere."""
    return not text.isascii() and (_DOTTED in text or _DOT_ABOVE in text or "I\u0307" in text)


def _unwrapped(text: str) -> str:
    """Remove surrounding pairs and `mailto:`, each once and in any order."""
    for _ in range(3):
        if text[:7].lower() == "mailto:":
            text = text[7:].strip(_OUTER)
        if text[:1] + text[-1:] in _PAIRS and len(text) > 1:
            text = text[1:-1].strip(_OUTER)
    return text


def _turkish(text: str) -> str | None:
    if not has_dotted_i(text):
        return text
    local, at, domain = text.rpartition("@")
    if _unclear(local) or _unclear(domain):
        return None
    if _DOTTED in local and local == local.upper():
        local = _plain_i(local).lower()
    return _plain_i(local) + at + _plain_i(domain)


def _unclear(text: str) -> bool:
    return "I" in text and not _plain_i(text).isascii()


def _plain_i(text: str) -> str:
    return text.replace(_DOTTED, "i").replace(_DOT_ABOVE, "i")
