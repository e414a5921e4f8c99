"""Reading answers that no page documents: a code at any usual depth, a message, `Retry-After`.

Nothing here raises, whatever the bytes. What leaves is a code (short, ends in a number) and text
without addresses or numbers: a vendor's error may repeat the recipients of the call.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterator, Mapping
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Final

import orjson

from consumer.model import MESSAGE_LIMIT, Answer, Outcome
from consumer.vendors.kinds import EFFECTS, Kind, Row

BODY_LIMIT: Final = 1 << 20
"""Bytes of a body that are looked at: nothing longer is an error document."""

RETRY_AFTER_LIMIT: Final = 86_400.0
"""Seconds: a longer `Retry-After` is a slip of somebody's, a day is silence enough."""

HIDDEN: Final = "[…]"

_MESSAGE_SCAN = 1_000
_LONG_WORD = 24
_NODES = 64
_WRAPPERS = ("error", "errors", "meta", "status", "response", "result", "detail", "details", "data")
_CODE_KEYS = ("code", "error_code", "errorCode", "status_code", "statusCode", "error")
_MESSAGE_KEYS = ("message", "description", "error_description", "detail", "title", "msg", "error")
_CODE = re.compile(r"[A-Za-z_-]{0,16}[0-9]{1,6}")
_NUMBER = re.compile(r"[+(]?\d(?:[\W_]{0,3}\d){4,}")
_ADDRESS_SIGNS = ("@", "＠", "%40")


STATUSES: Final[Mapping[int, Row]] = {
    401: Row(Kind.CREDENTIALS, "The credentials were refused."),
    403: Row(Kind.CREDENTIALS, "The account or this host may not call."),
    407: Row(Kind.CREDENTIALS, "A proxy on the way wants credentials."),
    # Gateways answer 408 for requests that they had passed on already.
    408: Row(Kind.UNCLEAR, "Timed out at the vendor or a gateway, which may have passed it on."),
    425: Row(Kind.TROUBLE, "The vendor did not want to handle the call yet."),
    429: Row(Kind.THROTTLED, "The vendor counts more calls than its quota allows."),
}
"""Statuses that mean more than their hundred."""

HUNDREDS: Final[Mapping[int, Row]] = {
    2: Row(Kind.ACCEPTED, "The vendor took the call."),
    3: Row(Kind.TROUBLE, "The vendor redirects, which is never followed: check `base_url`."),
    4: Row(Kind.RECIPIENT, "The vendor refused the call."),
    5: Row(Kind.UNCLEAR, "The vendor failed, perhaps after it had acted."),
}

NO_HTTP = Row(Kind.UNCLEAR, "The answer is no HTTP answer.")


def row_of_status(status: int) -> Row:
    """What a status means where no code says more."""
    return STATUSES.get(status) or HUNDREDS.get(status // 100, NO_HTTP)


def outcome(answer: Answer, kind: Kind, code: str | None, message: str | None) -> Outcome:
    """What a kind (not `BY_STATUS`) means, with `Retry-After` where the call was throttled."""
    effect = EFFECTS[kind]
    throttled = kind is Kind.THROTTLED
    return Outcome(
        verdict=effect.verdict,
        http_status=answer.status,
        code=code,
        message=message,
        counts=effect.counts,
        throttled=throttled,
        retry_after=retry_after(answer.headers) if throttled else None,
        relogin=kind is Kind.SESSION,
        parked=effect.parked,
        refused=kind is Kind.CREDENTIALS,
        gateway=kind is Kind.GATEWAY,
        divisible=effect.divisible,
        vendor_time=_moment(answer.headers.get("date", "")),
    )


def parse(body: bytes) -> object:
    """The JSON document, or None where the body is none (or longer than `BODY_LIMIT`)."""
    try:
        return orjson.loads(body) if len(body) <= BODY_LIMIT else None
    except orjson.JSONDecodeError:
        return None


def code_in(document: object, known: Collection[str] = ()) -> str | None:
    """The vendor's code: the outermost that is known, else the outermost, else None.

    Known ones come first because some vendors repeat the HTTP status beside their own code.
    """
    found = [
        code
        for node in _objects(document)
        for key in _CODE_KEYS
        if (code := as_code(node.get(key))) is not None
    ]
    return next((code for code in found if code in known), found[0] if found else None)


def message_in(document: object) -> str | None:
    """The vendor's outermost message, made safe to travel; None where there is none."""
    for node in _objects(document):
        for key in _MESSAGE_KEYS:
            value = node.get(key)
            if isinstance(value, str) and (text := scrub(value)):
                return text
    return None


def _objects(document: object) -> Iterator[Mapping[str, object]]:
    """The JSON objects at the usual depths, outermost first, at most `_NODES` nodes."""
    nodes = [document]
    for node in islice(nodes, _NODES):  # the list grows while it is walked: breadth first
        if isinstance(node, list):
            nodes.extend(node[:_NODES])
        elif isinstance(node, dict):
            yield node
            nodes.extend(node[key] for key in _WRAPPERS if key in node)


def as_code(value: object) -> str | None:
    """A code as text: a small number, perhaps after letters. A phone number is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value) if isinstance(value, int | str) else ""
    return text if _CODE.fullmatch(text) else None


def scrub(text: str) -> str:
    """A vendor's text without what looks like an address, a number, a token or a link.

    Addresses, numbers of five digits and more (however they are spaced) and words too long to be
    words are replaced; control characters become spaces; the rest is cut to `MESSAGE_LIMIT`.
    """
    printable = "".join(c if c.isprintable() else " " for c in text[:_MESSAGE_SCAN])
    words = printable.split()
    if len(text) > _MESSAGE_SCAN:
        del words[-1:]  # it may be the first half of an address
    plain = " ".join(HIDDEN if _is_private(word) else word for word in words)
    return _NUMBER.sub(HIDDEN, plain)[:MESSAGE_LIMIT].rstrip()


def _is_private(word: str) -> bool:
    return len(word) > _LONG_WORD or any(sign in word for sign in _ADDRESS_SIGNS)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of silence that a 429 asks for, at most `RETRY_AFTER_LIMIT`; None: it does not say.

    Both forms of RFC 9110: delta-seconds, and a date, which is compared with the answer's own
    `Date`, so that no clock of ours is involved. Nothing left to wait is None as well: a vendor
    that refuses and says "at once" has not said when.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        seconds = float(value)
    else:
        then, now = _moment(value), _moment(headers.get("date", ""))
        seconds = then - now if then is not None and now is not None else 0.0
    return min(seconds, RETRY_AFTER_LIMIT) if seconds > 0 else None


def _moment(http_date: str) -> float | None:
    try:
        when = parsedate_to_datetime(http_date)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # The asctime form names no zone; an HTTP date is always GMT.
    return (when if when.tzinfo else when.replace(tzinfo=dt.UTC)).timestamp()
