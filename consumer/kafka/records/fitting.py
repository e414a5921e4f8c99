"""Fit dead letters into Kafka's message size limit by dropping their largest parts.

A part is the value, the key, or the headers. Each dropped part leaves its size and its SHA-256 in a
header of the program's own, so that the original can be identified wherever it is found.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import NamedTuple

from consumer.kafka.records.messages import Header, size_of
from consumer.records.dead_letter import DeadLetter

PARTS = ("value", "key", "headers")
LOST = tuple(f"dead_letter.{part}_{what}" for part in PARTS for what in ("bytes", "sha256"))
"""Headers of the dropped parts. They follow all other headers of the letter."""


class Fitting(NamedTuple):
    """A letter that fits, and the headers that describe its dropped parts."""

    letter: DeadLetter
    lost: list[Header]


def fitting(letter: DeadLetter, room: int) -> Fitting:
    """Return the letter with at most `room` bytes of its original key, value and headers."""
    sizes = {
        "value": len(letter.value or b""),
        "key": len(letter.key or b""),
        "headers": sum(size_of(header) for header in letter.headers),
    }
    lost: list[Header] = []
    while sum(sizes.values()) > room:
        part = max(PARTS, key=sizes.__getitem__)
        lost += _lost(letter, part)
        letter = _without(letter, part)
        sizes[part] = 0
    return Fitting(letter, lost)


def _lost(letter: DeadLetter, part: str) -> list[Header]:
    digest, size = hashlib.sha256(), 0
    for piece in _pieces(letter, part):
        digest.update(piece)
        size += len(piece)
    return [
        (f"dead_letter.{part}_bytes", str(size).encode()),
        (f"dead_letter.{part}_sha256", digest.hexdigest().encode()),
    ]


def _pieces(letter: DeadLetter, part: str) -> list[bytes]:
    if part == "headers":
        return [piece or b"" for name, value in letter.headers for piece in (name.encode(), value)]
    return [(letter.value if part == "value" else letter.key) or b""]


def _without(letter: DeadLetter, part: str) -> DeadLetter:
    if part == "value":
        return replace(letter, value=None)
    return replace(letter, key=None) if part == "key" else replace(letter, headers=())
