"""What must never be shown, and a search that finds it in any form of writing."""

from __future__ import annotations

import base64
import html
import json
import math
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus

LEAST = 6
"""Characters that a form must have: shorter ones occur by chance."""


def forms(text: str) -> Iterator[str]:
    """The text raw, as JSON, URL, HTML, Python, hex and base64 write it, whatever stands before."""
    raw = text.encode()
    yield text
    yield json.dumps(text)[1:-1]
    yield quote(text)
    yield quote(text, safe="")
    yield quote_plus(text)
    yield html.escape(text)
    yield ascii(text)[1:-1]
    yield repr(raw)[2:-1]
    yield raw.hex()
    for before in range(3):
        yield _base64(raw, before)
        yield _base64(raw, before).translate(str.maketrans("+/", "-_"))


def _base64(raw: bytes, before: int) -> str:
    """The characters that are the same whatever `before` bytes precede, and whatever follows."""
    encoded = base64.b64encode(b"\0" * before + raw).decode()
    whole_bits = 8 * (before + len(raw))
    return encoded[math.ceil(8 * before / 6) : whole_bits // 6]


def found(canaries: Mapping[str, str], shown: str | bytes) -> set[str]:
    """The names of those that are shown, in any form and in any letters' case."""
    text = (shown.decode(errors="replace") if isinstance(shown, bytes) else shown).lower()
    return {
        name
        for name, canary in canaries.items()
        if any(len(form) >= LEAST and form.lower() in text for form in forms(canary))
    }
