"""Bodies of calls, put together from parts that are JSON already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
import orjson

Json = bytes | msgspec.Raw
"""The text of a JSON value."""

parsed = msgspec.json.decode


def json_list(items: Iterable[Json]) -> bytes:
    """Return a list of these values."""
    return b"[%b]" % b",".join(items)


def json_object(members: Iterable[tuple[Json, Json]]) -> bytes:
    """Return an object of these names (texts in JSON) and values."""
    return b"{%b}" % b",".join(map(b":".join, members))


def named_object(members: Mapping[str, Json]) -> bytes:
    """Return an object of these names and values."""
    return json_object((orjson.dumps(name), value) for name, value in members.items())
