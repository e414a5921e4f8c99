"""From templates and values to a request: path, body in JSON or as a form, idempotency key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Final
from urllib.parse import quote, urlencode
from uuid import UUID

import orjson
from pydantic import JsonValue

PLACE: Final = re.compile(r"\{([^{}]*)\}")
"""A place of a path: a customer's value, percent-encoded whole."""


class UnfitPathError(ValueError):
    """A value would lead to another path: it is missing, empty, or consists of dots."""


def filled_path(template: str, values: Mapping[str, JsonValue]) -> str:
    """Return the path with its values. Raises UnfitPathError."""

    def encoded(place: re.Match[str]) -> str:
        value = values.get(place[1])
        text = value if isinstance(value, str) else ""
        if not text.strip("."):
            raise UnfitPathError(f"{{{place[1]}}} of a path is missing, empty or dots")
        return quote(text, safe="")

    return PLACE.sub(encoded, template)


def encoded_form(body: JsonValue) -> bytes:
    """Encode a document as a form: `key=…`, within objects `key[inner]=…`, in lists `key[]=…`.

    These are the names that PHP, Rails and the vendors' own pages use. A null is left out.
    """
    return urlencode(list(_pairs("", body))).encode()


def _pairs(name: str, value: JsonValue) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _pairs(f"{name}[{key}]" if name else key, inner)
    elif isinstance(value, list):
        for item in value:
            yield from _pairs(f"{name}[]", item)
    elif isinstance(value, str):
        yield name, value
    elif value is not None:
        yield name, orjson.dumps(value).decode()


def content_key(method: str, path: str, body: bytes, ids: Iterable[str]) -> str:
    """Return a call's idempotency key: a UUID made of what the call asks for.

    The same invitations in the same order with the same content have the same key, in whichever
    batch and process. A half of a divided batch, other company in the batch or another template has
    another one.
    """
    digest = sha256(b"\0".join([method.encode(), path.encode(), body, *map(str.encode, ids)]))
    return str(UUID(bytes=digest.digest()[:16], version=5))
