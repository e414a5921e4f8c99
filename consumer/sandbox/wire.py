"""What passes between the HTTP edge of the double and its vendors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived; header names are lower case, `at` is epoch seconds."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer and what it did. `recipients` are those the request named, accepted or not."""

    status: int
    body: bytes
    code: str | None = None
    campaign: str | None = None
    recipients: tuple[str, ...] = ()
    accepted: bool = False
    headers: Mapping[str, str] | None = None


def is_json(content_type: str) -> bool:
    """`application/json`, with or without parameters such as a charset."""
    return content_type.partition(";")[0].strip().lower() == "application/json"


def json_object(body: bytes) -> dict[str, Any] | None:
    """The body as a JSON object, or None where it is anything else."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def is_email(text: str) -> bool:
    """One `@` with something on either side and no white space: all that can be refused safely."""
    return _EMAIL.fullmatch(text) is not None
