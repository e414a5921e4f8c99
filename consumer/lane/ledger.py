"""Which offsets of a lane's topic are settled.

Windows of many campaigns settle in parallel, so the settled offsets have holes; transaction
markers take offsets that are never delivered, so offsets are not dense. The ledger therefore
goes by delivered records: `base` is the oldest delivered one that is not settled, and `done`
the settled ones above it.
"""

from __future__ import annotations

import base64
import zlib
from collections import deque
from collections.abc import Iterable, Iterator


def pack(offsets: Iterable[int], first: int) -> str:
    """Offsets ≥ `first` → a bitmap (bit i is offset `first + i`), zlib level 1, base64."""
    bits = bytearray()
    for offset in offsets:
        byte, bit = divmod(offset - first, 8)
        if byte >= len(bits):
            bits.extend(bytes(byte + 1 - len(bits)))
        bits[byte] |= 1 << bit
    return _wrap(bits)


def unpack(packed: str, first: int) -> Iterator[int]:
    """The inverse of `pack`. Raises ValueError for what `pack` did not write."""
    try:
        bits = zlib.decompress(base64.b64decode(packed, validate=True))
    except zlib.error:
        raise ValueError("not a bitmap of offsets") from None
    for byte, value in enumerate(bits):
        if value:
            yield from (first + byte * 8 + bit for bit in range(8) if value >> bit & 1)


def _wrap(bits: bytes | bytearray) -> str:
    return base64.b64encode(zlib.compress(bits, 1)).decode()


class Ledger:
    """Delivered and settled offsets of one partition, from `base` on."""

    def __init__(self, base: int, done: Iterable[int] = ()) -> None:
        self._next = base
        self._open: deque[int] = deque()
        self._origin = base
        self._bits = bytearray()
        for offset in done:
            self._mark(offset)

    @property
    def base(self) -> int:
        """The oldest unsettled offset, or where the next record is read when none is open."""
        return self._open[0] if self._open else self._next

    @property
    def span(self) -> int:
        """How far the ledger reaches from `base` to the newest delivered record."""
        return self._next - self.base

    def deliver(self, offset: int) -> bool:
        """A record was read: True if it is new, False if it is settled or was seen already."""
        if offset < self._next:
            return False
        self._next = offset + 1
        if self._is_done(offset):
            return False
        self._open.append(offset)
        return True

    def end_of_log(self, offset: int) -> None:
        """Nothing more is there before `offset`: offsets up to it hold no records of ours."""
        self._next = max(self._next, offset)

    def settle(self, offset: int) -> None:
        """A delivered record has its result."""
        self.settle_all((offset,))

    def settle_all(self, offsets: Iterable[int]) -> None:
        """Delivered records have their results."""
        for offset in offsets:
            self._mark(offset)
        still_open, is_done = self._open, self._is_done
        while still_open and is_done(still_open[0]):
            still_open.popleft()

    def settled(self, offset: int) -> bool:
        """Whether a record needs nothing more; every offset below `base` counts as settled."""
        return offset < self.base or self._is_done(offset)

    def packed(self) -> str:
        """The settled offsets from `base` on, for the checkpoint."""
        whole = (self.base - self._origin) // 8
        if whole > 0:
            del self._bits[:whole]
            self._origin += whole * 8
        below = self.base - self._origin
        bits = int.from_bytes(self._bits, "little") >> below
        return _wrap(bits.to_bytes((bits.bit_length() + 7) // 8, "little"))

    def _mark(self, offset: int) -> None:
        bits, at = self._bits, offset - self._origin
        if at >> 3 >= len(bits):
            bits.extend(bytes((at >> 3) + 1024 - len(bits)))
        bits[at >> 3] |= 1 << (at & 7)

    def _is_done(self, offset: int) -> bool:
        bits, at = self._bits, offset - self._origin
        return at >> 3 < len(bits) and bits[at >> 3] >> (at & 7) & 1 == 1
