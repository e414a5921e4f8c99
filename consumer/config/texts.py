"""Decodes a file's bytes to text as editors and tools write it: UTF-8, with or without a BOM.

A byte order mark at the beginning is no part of a secret or a config, and neither are line breaks
at the end of a secret. Other content is refused, and the message says what it is.
"""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Final

MOST: Final = 2**20
"""Bytes of one file, at most: a Kubernetes ConfigMap or Secret holds no more."""

_WIDE: Final = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_SAVE: Final = "save it as UTF-8"


class UnfitTextError(ValueError):
    """A file holds no UTF-8 text; the message completes a sentence about the file."""


def read_text(path: Path) -> str:
    """Return the file's text without a byte order mark; raises OSError, UnfitTextError."""
    return decoded(read_bytes(path))


def read_bytes(path: Path, most: int = MOST) -> bytes:
    """Return the file's bytes, one more than `most` at most; raises OSError, UnfitTextError."""
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except ValueError:  # a name with a zero byte
        raise UnfitTextError("has no name that a file can have") from None


def decoded(content: bytes, most: int = MOST) -> str:
    """Decode `most` bytes or fewer as text; raises UnfitTextError."""
    if len(content) > most:
        raise UnfitTextError(f"has more than {most} bytes")
    for mark, name in _WIDE:
        if content.startswith(mark):
            raise UnfitTextError(f"is {name} text: {_SAVE}")
    if b"\0" in content:
        raise UnfitTextError(f"holds zero bytes, as UTF-16 text does: {_SAVE}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnfitTextError(f"is not UTF-8 text: {_SAVE}") from None


def plain_secret(text: str) -> str:
    """Remove a byte order mark before a secret and line breaks behind it."""
    return text.removeprefix("\ufeff").rstrip("\r\n")
