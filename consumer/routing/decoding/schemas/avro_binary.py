"""Avro's binary encoding, read with the writer's schema: a reader for each of its types.

A reader is a function of a `Datum`, which it moves on. Compiled once for a schema, it needs no
schema any more. Readers are Python alone: a deep record ends in a RecursionError, where a C
extension overflows the stack and takes the process with it. `Datum.items` bounds arrays of values
that take no bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from consumer.routing.decoding.schemas.avro_values import finite, float_number
from consumer.routing.decoding.schemas.schema_value import UnfitError

_DOUBLE: Final = struct.Struct("<d")
_SPARE_ITEMS: Final = 1000
"""Items without bytes that a record may have, beside one for each of its bytes."""


class Datum:
    """A value's bytes, and where its reading stands."""

    __slots__ = ("at", "content", "items")

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0
        self.items = len(content) + _SPARE_ITEMS

    def take(self, size: int) -> bytes:
        """Return the next bytes. Raises UnfitError."""
        end = self.at + size
        if size < 0 or end > len(self.content):
            raise UnfitError
        found, self.at = self.content[self.at : end], end
        return found


Reader = Callable[[Datum], Any]
"""Reads one value. Raises UnfitError, IndexError, ValueError, OverflowError or RecursionError."""


def read_null(_datum: Datum) -> None:
    """Read nothing."""


def read_boolean(datum: Datum) -> bool:
    """Read a boolean."""
    found = datum.take(1)[0]
    if found > 1:
        raise UnfitError
    return found == 1


def read_long(datum: Datum) -> int:
    """Read an int or long: zigzag, 7 bits a byte."""
    content, at = datum.content, datum.at
    shift = found = 0
    while True:
        byte = content[at]
        at += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise UnfitError
    datum.at = at
    return (found >> 1) ^ -(found & 1)


def read_float(datum: Datum) -> float | None:
    """Read 4 bytes as their shortest number."""
    return float_number(datum.take(4))


def read_double(datum: Datum) -> float | None:
    """Read 8 bytes."""
    return finite(_DOUBLE.unpack(datum.take(8))[0])


def read_bytes(datum: Datum) -> bytes:
    """Read bytes with their length."""
    return datum.take(read_long(datum))


def read_string(datum: Datum) -> str:
    """Read UTF-8 with its length."""
    return datum.take(read_long(datum)).decode()


def then(read: Reader, convert: Callable[[Any], Any]) -> Reader:
    """Read, then convert what was read."""
    return lambda datum: convert(read(datum))


def fixed_reader(size: int) -> Reader:
    """Read so many bytes."""
    return lambda datum: datum.take(size)


def chosen_reader(choices: Sequence[str]) -> Reader:
    """Read one of an enum's symbols."""

    def read_symbol(datum: Datum) -> str:
        return choices[_index(datum, choices)]

    return read_symbol


def union_reader(branches: Sequence[Reader]) -> Reader:
    """Read a value of one of the branches, without its type."""

    def read_union(datum: Datum) -> Any:
        return branches[_index(datum, branches)](datum)

    return read_union


def record_reader(fields: Mapping[str, Reader]) -> Reader:
    """Read each field. `fields` may be filled later: a record may contain itself."""

    def read_record(datum: Datum) -> dict[str, Any]:
        return {name: read(datum) for name, read in fields.items()}

    return read_record


def array_reader(item: Reader) -> Reader:
    """Read blocks of items."""

    def read_array(datum: Datum) -> list[Any]:
        return [item(datum) for _ in _items(datum)]

    return read_array


def map_reader(value: Reader) -> Reader:
    """Read blocks of names with values; of several of a name the last counts."""

    def read_map(datum: Datum) -> dict[str, Any]:
        return {read_string(datum): value(datum) for _ in _items(datum)}

    return read_map


def _index(datum: Datum, choices: Sequence[object]) -> int:
    found = read_long(datum)
    if not 0 <= found < len(choices):
        raise UnfitError
    return found


def _items(datum: Datum) -> Iterator[None]:
    while count := read_long(datum):
        if count < 0:
            read_long(datum)  # bytes of the block, for readers that skip it
        datum.items -= abs(count)
        if datum.items < 0:
            raise UnfitError
        for _ in range(abs(count)):
            yield
