"""Reads undocumented answers: a code at any usual depth, a message, and whose answer it is.

Nothing here raises, whatever the bytes. The output is a code (short, ends in a number) and text
without addresses or numbers: a vendor's error may repeat the recipients of the call.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Final
from urllib.parse import unquote

import orjson

from consumer.records.call import Answer, Outcome
from consumer.records.fields import LINK_LIMIT, MESSAGE_LIMIT
from consumer.vendors.answer_kinds import EFFECTS, Kind, Row
from consumer.vendors.retry_after import moment, retry_after

BODY_LIMIT: Final = 1 << 20
"""Bytes of a body that are parsed, at most: an error document is shorter."""

HIDDEN: Final = "[…]"

_MESSAGE_SCAN = 1_000
_LONG_WORD = 24
_ESCAPES = 3
_LOOSE_ACCENTS = re.compile("[\u0300-\u036f]")
"""Combining accents that NFKC composed with no letter: they would split a word in two."""
_JSON_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_NODES = 64
_WRAPPERS = ("error", "errors", "meta", "status", "response", "result", "detail", "details", "data")
_CODE_KEYS = ("code", "error_code", "errorCode", "status_code", "statusCode", "error")
_MESSAGE_KEYS = ("message", "description", "error_description", "detail", "title", "msg", "error")
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_LINK = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]+)?(?:[/?#][!-~]*)?")
_CODE = re.compile(r"[A-Za-z_-]{0,16}[0-9]{1,6}")
_NUMBER = re.compile(r"[+(]?\d(?:[\W_]{0,3}\d){4,}")
_ADDRESS_SIGNS = ("@", "＠", "%40")


STATUSES: Final[Mapping[int, Row]] = {
    # RFC 9110 15.4: the request must be made elsewhere; it was not carried out here.
    301: Row(Kind.GATEWAY, "The path has moved: the address in the config is not the vendor's."),
    307: Row(Kind.GATEWAY, "The call is to be made elsewhere: redirects are never followed."),
    308: Row(Kind.GATEWAY, "The path has moved: the address in the config is not the vendor's."),
    401: Row(Kind.CREDENTIALS, "The credentials were refused."),
    403: Row(Kind.CREDENTIALS, "The account or this host may not call."),
    407: Row(Kind.CREDENTIALS, "A proxy on the way wants credentials."),
    # Gateways answer 408 also to requests that they forwarded.
    408: Row(Kind.UNCLEAR, "Timed out at the vendor or a gateway, which may have passed it on."),
    413: Row(Kind.RECIPIENT, "The call is too large for the vendor, or for a gateway before it."),
    425: Row(Kind.TROUBLE, "The vendor did not want to handle the call yet."),
    429: Row(Kind.THROTTLED, "The vendor counts more calls than its quota allows."),
}
"""Statuses with a meaning beyond their hundred."""

HUNDREDS: Final[Mapping[int, Row]] = {
    2: Row(Kind.ACCEPTED, "The vendor took the call."),
    # RFC 9110 15.4.4: 303 points at the result of a POST that was carried out; 302 is used alike.
    3: Row(Kind.UNCLEAR, "The vendor redirects, perhaps to the result of what it has done."),
    4: Row(Kind.RECIPIENT, "The vendor refused the call."),
    5: Row(Kind.UNCLEAR, "The vendor failed, perhaps after it had acted."),
}

FOREIGN: Final = Row(Kind.GATEWAY, "Refused in a form that is not the vendor's.")
"""A 4xx about recipients, which only the vendor can judge, that is not the vendor's own answer."""

FOREIGN_SUCCESS: Final = Row(
    Kind.UNCLEAR, "A success by its status, but not in the vendor's form: a page of a gateway."
)
"""A 2xx that may be a sign-in page's, a firewall's or a maintenance page's: the vendor may or may
not have received the call."""

_FIXED: Final = frozenset({303, 408, 429})

_MARK = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n" + _MARK
_HTML = ("text/html", "application/xhtml+xml")

NO_HTTP = Row(Kind.UNCLEAR, "The answer is no HTTP answer.")


def row_of_status(status: int) -> Row:
    """Return the meaning of a status without a code, if the answer is the vendor's own."""
    return STATUSES.get(status) or HUNDREDS.get(status // 100, NO_HTTP)


def row_of(answer: Answer, *, own: bool) -> Row:
    """Return the meaning of an answer's status without a code.

    `own`: the answer has the vendor's form. Without it a 403 or another 4xx does not concern a
    recipient or credentials: firewalls and gateways send such answers.
    """
    row = row_of_status(answer.status)
    may_be_foreign = row.kind is Kind.RECIPIENT and answer.status != 413
    return FOREIGN if not own and (may_be_foreign or answer.status == 403) else row


def decided_by_status(status: int) -> bool:
    """Tell whether no code and no rule can give this status another meaning."""
    return status in _FIXED or status not in range(200, 500)


def is_code_of(answer: Answer, code: str | None) -> bool:
    """Tell whether an answer's code can be the vendor's: gateways repeat the status as a code."""
    return code is not None and code != str(answer.status)


def is_page(answer: Answer) -> bool:
    """Tell whether the body is a page for people, or unreadable."""
    body, kind = answer.body.lstrip(_SPACE), media_type(answer)
    if body.startswith(b"<"):
        return kind in _HTML or not kind.endswith("xml")
    return kind in _HTML and "\ufffd" in body.decode(errors="replace")


def has_form(answer: Answer) -> bool:
    """Tell whether a success has the form of a JSON interface: no body, JSON, or declared JSON.

    The body may be truncated, so its beginning decides.
    """
    body = answer.body.lstrip(_SPACE)
    if not body or body[:1] in {b"{", b"["} or parse(b"[%s]" % body) is not None:
        return True
    return media_type(answer).endswith("json") and not body.startswith(b"<")


def is_empty(answer: Answer) -> bool:
    """Tell whether an answer has no body, or nothing but space in it."""
    return not answer.body.strip(_SPACE)


def media_type(answer: Answer) -> str:
    """Return `Content-Type` without its parameters, in lower case."""
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()


def outcome(answer: Answer, kind: Kind, code: str | None, message: str | None) -> Outcome:
    """Make the outcome of a kind (not `BY_STATUS`), with `Retry-After` if throttled."""
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
        vendor_time=moment(answer.headers.get("date", "")),
    )


def parse(body: bytes) -> object:
    """Parse the JSON document; None if the body is none (or longer than `BODY_LIMIT`).

    A byte order mark before it, which some servers write, is skipped.
    """
    try:
        return orjson.loads(body.removeprefix(_MARK)) if len(body) <= BODY_LIMIT else None
    except orjson.JSONDecodeError:
        return None


def code_in(document: object, known: Collection[str] = ()) -> str | None:
    """Return the vendor's code: the outermost known one, else the outermost, else None.

    Known codes come first because some vendors repeat the HTTP status beside their own code.
    """
    found = [
        code
        for node in _objects(document)
        for key in _CODE_KEYS
        if (code := as_code(node.get(key))) is not None
    ]
    return next((code for code in found if code in known), found[0] if found else None)


def message_in(document: object) -> str | None:
    """Return the vendor's outermost message, scrubbed of private data; None if there is none."""
    for node in _objects(document):
        for key in _MESSAGE_KEYS:
            value = node.get(key)
            if isinstance(value, str) and (text := scrub(value)):
                return text
    return None


def _objects(document: object) -> Iterator[Mapping[str, object]]:
    """Yield the JSON objects at the usual depths, outermost first, from at most `_NODES` nodes."""
    nodes = [document]
    for node in islice(nodes, _NODES):  # the list grows during the iteration: breadth first
        if isinstance(node, list):
            nodes.extend(node[:_NODES])
        elif isinstance(node, dict):
            yield node
            nodes.extend(node[key] for key in _WRAPPERS if key in node)


def as_code(value: object) -> str | None:
    """Return a code as text: a small number, perhaps after letters. A phone number is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value) if isinstance(value, int | str) else ""
    return text if _CODE.fullmatch(text) else None


def as_reference(value: object) -> str | None:
    """Return a vendor's own id of a call as text: one word of at most 64 characters, or an integer;
    None for all else."""
    text = str(value) if type(value) is int or type(value) is str else ""
    return text if _REFERENCE.fullmatch(text) else None


def links_in(document: object) -> list[str]:
    """Return the distinct https links of an answer: the document itself, or texts of its objects at
    the usual depths, outermost first."""
    texts = [document, *(value for node in _objects(document) for value in node.values())]
    return list(dict.fromkeys(link for text in texts if (link := as_link(text)) is not None))


def as_link(value: object) -> str | None:
    """Return a text that is an https link of at most `LINK_LIMIT` characters, else None."""
    text = value if isinstance(value, str) and len(value) <= LINK_LIMIT else ""
    return text if _LINK.fullmatch(text) else None


def scrub(text: str) -> str:
    """Remove from a vendor's text what looks like an address, a number, a token or a link.

    Addresses, numbers of five digits and more (however they are spaced) and words too long to be
    words are replaced; control characters become spaces; the rest is cut to `MESSAGE_LIMIT`.
    Escapes are decoded first.
    """
    printable = "".join(map(_printable, _unescaped(text[:_MESSAGE_SCAN])))
    words = printable.split()
    if len(text) > _MESSAGE_SCAN:
        del words[-1:]  # it may be the first half of an address
    plain = " ".join(HIDDEN if _is_private(word) else word for word in words)
    return _NUMBER.sub(HIDDEN, plain)[:MESSAGE_LIMIT].rstrip()


def _unescaped(text: str) -> str:
    """Decode the escapes of URLs, HTML and JSON, nested ones too, and normalise to NFKC."""
    for _ in range(_ESCAPES):
        plain = _JSON_ESCAPE.sub(lambda found: chr(int(found[1], 16)), html.unescape(unquote(text)))
        if plain == text:
            break
        text = plain
    return _LOOSE_ACCENTS.sub("", unicodedata.normalize("NFKC", text))


def _printable(sign: str) -> str:
    """Drop invisible characters, which separate no words; make other unprintable ones spaces."""
    if sign.isprintable():
        return sign
    return "" if unicodedata.category(sign) == "Cf" else " "


def _is_private(word: str) -> bool:
    return len(word) > _LONG_WORD or any(sign in word for sign in _ADDRESS_SIGNS)
