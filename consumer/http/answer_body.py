"""Decompress an answer: one layer, and never beyond the body's limit."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final

BODY_LIMIT: Final = 64 * 1024
"""Bytes of an answer's body that are read, compressed and decompressed."""

_WINDOWS: Final[Mapping[str, tuple[int, ...]]] = {
    "gzip": (31,),
    "x-gzip": (31,),
    "deflate": (15, -15),  # with zlib's header, as the RFC says, and without, as some servers do
}
"""Content coding → zlib's window bits, to be tried in this order."""


def unpacked(body: bytes, content_encoding: str) -> bytes | None:
    """Return at most `BODY_LIMIT` bytes of the decompressed body; None if it cannot be
    decompressed.

    Requests ask for `identity`. An answer that is compressed all the same costs at most 64 KiB in
    and out, so it does not delay the event loop. Vendors do not compress an answer twice.
    """
    codings = [each.strip().lower() for each in content_encoding.split(",")]
    packed = [each for each in codings if each not in {"", "identity"}]
    if not (packed and body):
        return body
    for window in _WINDOWS.get(",".join(packed), ()):
        try:
            return zlib.decompressobj(window).decompress(body, BODY_LIMIT)
        except zlib.error:
            continue
    return None
