"""Identity of a row: by it a second upload of the row is known.

    with --id COLUMN    the route and the cell
    else                the route, the row's content, and its ordinal among equal rows of the file

The content is what its cells say, not how the file is written: the order of columns, encoding,
separator and quotes do not matter, nor do empty cells. An identity is an HMAC under the pseudonym's
key: a plain hash of a phone number can be guessed.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Final

import orjson

SIZE: Final = 16
"""Bytes of an identity."""

_PURPOSE: Final = b"survey-dispatcher row\0"


class RowIdentity:
    """Makes the identities of one route's rows under one key. `by_id`: of an id, not of content."""

    def __init__(self, key: bytes, route: str, *, by_id: bool) -> None:
        self._key = hmac.digest(key, _PURPOSE, "sha256")  # of no other use of the pseudonym's key
        self._kind = [route, "id" if by_id else "content"]

    def base(self, content: Sequence[str]) -> bytes:
        """Return the identity of the first row with this content, or of this id."""
        return hmac.digest(self._key, orjson.dumps([*self._kind, *content]), "sha256")[:SIZE]

    def nth(self, base: bytes, ordinal: int) -> bytes:
        """Return the identity of an equal row; the first one has ordinal 0."""
        if not ordinal:
            return base
        return hmac.digest(self._key, b"%b%d" % (base, ordinal), "sha256")[:SIZE]
