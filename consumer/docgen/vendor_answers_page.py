"""The page of the vendors' answers and their meaning, generated from the program's own tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from consumer.docgen.parts import GENERATED
from consumer.vendors import customer_radar, pisano
from consumer.vendors.answer_kinds import EFFECTS, Kind, Row
from consumer.vendors.answers import FOREIGN, FOREIGN_SUCCESS, HUNDREDS, NO_HTTP, STATUSES
from consumer.vendors.http_batch import answer_rules, http_batch

_DOUBT = "in doubt"


class Wire(NamedTuple):
    """A malformed or missing answer, and its meaning with each vendor."""

    what: str
    pisano: str
    radar: str
    batch: str


def _all(what: str, becomes: str) -> Wire:
    return Wire(what, becomes, becomes, becomes)


WIRE: Final[Mapping[str, Wire]] = {
    "no_connection": _all(
        "No connection: host unknown, port closed, certificate not trusted, proxy refuses, timeout",
        "nothing was sent: tried again, no attempt counts",
    ),
    "our_certificate": _all(
        "The vendor's TLS refuses our client certificate",
        "nothing was read: tried again, no attempt counts",
    ),
    "timeout": _all("Sent, and no whole answer within `call_timeout`", _DOUBT),
    "reset": _all("Sent, and the connection was cut before an answer", _DOUBT),
    "truncated": _all("A body shorter than its `Content-Length`", _DOUBT),
    "garbage": _all("Bytes that are no HTTP", _DOUBT),
    "bad_head": _all(
        "Bad header lines, `Transfer-Encoding` repeated, lengths that contradict each other",
        "read as browsers do: those lines are left out",
    ),
    "bad_body": Wire(
        "200, and chunks that are malformed or a head without end: only the status can be read",
        "accepted",
        _DOUBT,
        "accepted; in doubt where `success` names codes",
    ),
    "bad_gzip": _all(
        "200, and a compressed body that cannot be unpacked (another status counts alone)", _DOUBT
    ),
    "trailing": _all(
        "Bytes behind the answer: more body, another answer, line breaks",
        "left unread: no connection is used twice",
    ),
    "redirect": _all(
        "301, 307, 308",
        "never followed; no customer was invited: the campaign waits; check `base_url`",
    ),
    "see_other": _all("303, 302 and other redirects: perhaps to what was done", _DOUBT),
    "http_1_0": _all("An answer in HTTP/1.0, ended by closing the connection", "as any answer"),
    "wrong_type": _all("JSON under another `Content-Type`", "read as JSON all the same"),
    "gzip": _all("A compressed body", "unpacked and read, one layer, 64 KiB at most"),
    "no_body": Wire(
        "200 without a body",
        "accepted: the vendor's pages promise no body",
        _DOUBT,
        "accepted; in doubt where `success` names codes",
    ),
    "not_json": _all("200, and the body is a page (a challenge, a sign-in, maintenance)", _DOUBT),
    "plain_text": Wire(
        "200, and the body is text of another kind",
        _DOUBT,
        _DOUBT,
        "accepted; in doubt where `success` names codes",
    ),
    "huge": Wire(
        "200 and a body beyond 64 KiB, which is read no further",
        "accepted",
        _DOUBT,
        "accepted; in doubt where `success` names codes",
    ),
    "failing_200": Wire(
        "200 with a failure's code",
        "accepted: the vendor's pages know no such thing",
        _DOUBT,
        "in doubt; by the rule that names the code where `success` names codes",
    ),
    "gateways_404": _all(
        "A 4xx (but 401, 407, 408, 413, 425, 429) in a form that is not the vendor's",
        "says nothing of a recipient: the campaign waits",
    ),
}
"""Tested by name in tests/contract/test_vendor_http.py."""

_PAGE: Final = """\
<!-- {generated} -->
# What a vendor's answer means

Every answer is of one kind, and the kind decides what happens. The tables of this page are those
that the program reads.

{kinds}

*Smaller calls* means bisection: parts of the call are sent again until each bad recipient stood
alone in a refused call. If each one alone is refused and none is accepted, the refusal is not about
recipients, and the campaign waits. The metric `survey_dispatcher_vendor_codes_total` counts
answers by code.

## By HTTP status

Where a vendor's table below says nothing more.

{statuses}

## Pisano

The code decides before the status, in a 3xx or 4xx but 303 and 429: refused credentials come as
400, 401, 403, 404 and 409. A 2xx accepts the whole call, and a 5xx is in doubt, whatever the code.
A coded 4xx is assumed to have invited no customer. Codes that are not here go by the status.

A 2xx is the vendor's own if it has no body, JSON, or a JSON `Content-Type`; else it is in doubt. A
4xx is the vendor's own if it has a code of five digits; else it is of the kind `gateway`.

{pisano}

## Customer Radar

Accepted is HTTP 200 with the code `"00000"`, a text. One answer holds for the whole call. By the
vendor's page a 200 says that invitations were triggered and a 400 that something was wrong, so that
every other 2xx is in doubt and never called again. The page prints two failures as sentences and no
code for them, so what a refusal (a 4xx but those by status) is about is read from its text, small
and capital letters alike. A 4xx is the vendor's own if it has a `description`, a code of five
digits or one of those sentences; else it is of the kind `gateway`.

{radar}

A login that is refused (400, 401, 403, 422) is of the kind `credentials`; any other failed login
is tried again, and counts no attempt.

## http_batch

The account's own rules decide: a code of any rule first, then `success`, then the other rules'
statuses, then the table by status. 303, 408, 429 and 5xx are beyond all rules.

A 2xx with a code of another rule than `success` is in doubt: it may have invited some of the call.
Only where `success` names codes do the others say that a 2xx (but 207) invited no customer. A 4xx
that no rule names is the vendor's own if it has a code (other than its status), or JSON with 400,
409 or 422; else it is of the kind `gateway`.

{batch}

## What is no plain answer

{wire}

*In doubt*: the vendor may have acted. The invitation is not sent again: its result is `unknown`,
unless the campaign says `in_doubt: resend`.
"""

_COLUMNS: Final = ("meaning", "kind", "whose fault", "the invitations", "the operator")


def text() -> str:
    """Return the page in Markdown."""
    return _PAGE.format(
        generated=GENERATED,
        kinds=_kinds(),
        statuses=_rows("status", _statuses()),
        pisano=_rows("code", _coded(pisano.CODES)),
        radar=_rows("answer", _radar()),
        batch=_rows("rule", _batch()),
        wire=_table(("what came", "Pisano", "Customer Radar", "http_batch"), WIRE.values()),
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(head)
    lines = [f"| {' | '.join(row)} |" for row in (heads, *rows)]
    return "\n".join([lines[0], "|---" * len(heads) + "|", *lines[1:]])


def _kinds() -> str:
    rows = [
        (f"`{kind}`", effect.fault, effect.invitations, effect.operator)
        for kind, effect in EFFECTS.items()
    ]
    return _table(("kind", *_COLUMNS[2:]), rows)


def _rows(first: str, rows: Iterable[tuple[str, Row]]) -> str:
    return _table((first, *_COLUMNS), (_line(name, row) for name, row in rows))


def _line(name: str, row: Row) -> tuple[str, ...]:
    if row.kind is Kind.BY_STATUS:
        return (name, row.meaning, *["by the status"] * 4)
    effect = EFFECTS[row.kind]
    return (name, row.meaning, f"`{row.kind}`", effect.fault, effect.invitations, effect.operator)


def _coded(codes: Mapping[str, Row]) -> list[tuple[str, Row]]:
    return [(f"`{code}`", row) for code, row in codes.items()]


def _statuses() -> list[tuple[str, Row]]:
    named = [(str(status), row) for status, row in STATUSES.items()]
    hundreds = [(f"other {hundred}xx", row) for hundred, row in HUNDREDS.items()]
    foreign = ("4xx not of the vendor's form", FOREIGN)
    page = ("2xx not of the vendor's form", FOREIGN_SUCCESS)
    return [*named, *hundreds, foreign, page, ("any other", NO_HTTP)]


def _radar() -> list[tuple[str, Row]]:
    messages = [(f'"{part}"', row) for part, row in customer_radar.MESSAGES.items()]
    return [
        *((f'200, `"{code}"`', row) for code, row in customer_radar.CODES.items()),
        *messages,
        ("2xx, any other code", customer_radar.FAILURE),
        ("2xx, anything else", customer_radar.SILENCE),
        *((str(status), row) for status, row in customer_radar.STATUSES.items()),
    ]


def _batch() -> list[tuple[str, Row]]:
    rules = [(f"`{name}`", row) for name, row in answer_rules.BY_RULE.items()]
    return [
        ("`success`", HUNDREDS[2]),
        *rules,
        ("a 2xx with another rule's code", http_batch.PARTLY),
        ("a 2xx without a rule", http_batch.UNNAMED),
    ]
