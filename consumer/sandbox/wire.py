"""The requests and replies between the HTTP edge of the double and its vendors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived; header names are lower case, `at` is epoch seconds.

    `sent_target`: path and query as they stood in the request, percent-encoded.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float
    sent_target: str = ""

    @property
    def target(self) -> str:
        """Path and query as they were sent; the path where nothing else is known."""
        return self.sent_target or self.path


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer and its effect. `recipients`: all that the request named, accepted or not."""

    status: int
    body: bytes
    code: str | None = None
    campaign: str | None = None
    recipients: tuple[str, ...] = ()
    accepted: bool = False
    headers: Mapping[str, str] | None = None


class RefusalError(Exception):
    """The call is refused as a whole: by Pisano with a code, by Customer Radar with a text."""

    def __init__(self, reason: str, status: int = 400) -> None:
        self.reason, self.status = reason, status
        super().__init__(reason)


def is_json(content_type: str) -> bool:
    """Tell whether a type is `application/json`, with or without parameters such as a charset."""
    return content_type.partition(";")[0].strip().lower() == "application/json"


def json_object(body: bytes) -> dict[str, Any] | None:
    """Parse the body as a JSON object; None if it is anything else."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def is_email(text: str) -> bool:
    """Tell whether text has one `@`, text on both sides and no white space: a certain minimum."""
    return _EMAIL.fullmatch(text) is not None
