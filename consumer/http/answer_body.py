"""Unpacks a compressed answer, one layer and never beyond the body's limit."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final

BODY_LIMIT: Final = 64 * 1024
"""Bytes of an answer's body that are read, packed and unpacked."""

_WINDOWS: Final[Mapping[str, tuple[int, ...]]] = {
    "gzip": (31,),
    "x-gzip": (31,),
    "deflate": (15, -15),  # with zlib's header, as the RFC says, and without, as some servers do
}
"""Content coding → zlib's window bits, to be tried in this order."""


def unpacked(body: bytes, content_encoding: str) -> bytes | None:
    """At most `BODY_LIMIT` bytes of the body's text; None where it cannot be unpacked.

    We ask for `identity`. What comes packed all the same costs at most 64 KiB in and out, so that
    the event loop does not notice it; no honest server packs an answer twice.
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
