"""The page of the vendors' answers and their meaning, generated from the program's own tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from consumer.docgen.parts import fill_page, read_yaml, table
from consumer.http.connection_errors import NOT_REACHED
from consumer.http.failure_words import FAILURES
from consumer.vendors import customer_radar, pisano
from consumer.vendors.answer_kinds import EFFECTS, Kind, Row
from consumer.vendors.answers import FOREIGN, FOREIGN_SUCCESS, HUNDREDS, NO_HTTP, STATUSES
from consumer.vendors.http_batch import answer_rules, http_batch

_VENDORS: Final = {
    "pisano": "Pisano",
    "customer_radar": "Customer Radar",
    "http_batch": "http_batch",
}


def _wire_answers() -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, row in read_yaml("wire_answers.yaml").items():
        yield name, (row["came"], *(row.get(vendor, row.get("all")) for vendor in _VENDORS))


WIRE: Final[Mapping[str, tuple[str, ...]]] = dict(_wire_answers())
"""A malformed or missing answer → what came, and its meaning with each of `_VENDORS`.

Tested by name in tests/contract/test_vendor_http.py."""

_WITHOUT_ANSWER: Final[Mapping[str, str]] = {
    "timeout": "the call left, and `call_timeout` was over",
    "reset": "the call left, and the connection broke",
    "stale": "the process was frozen between commit and call",
    "defect": "a defect, or data that does not fit; the log's `call_defect`",
}

_BY_STATUS: Final = (
    (401, "token not accepted", "refused credentials; a 403: not allowed"),
    (404, "campaign not usable", "the campaign is parked"),
    (404, "not the vendor's own answer", "a gateway, a proxy or a firewall; or `base_url`"),
    (422, "a recipient not accepted", "smaller calls find the bad recipients"),
    (429, "too many calls", "the lane is silent for a while"),
    (400, "call not accepted", "any other refusal"),
    (302, "no clear answer", "in doubt"),
)
"""Words by status, as an example of each."""

_COLUMNS: Final = ("meaning", "kind", "whose fault", "the invitations", "the operator")


def page_text() -> str:
    """Return the page in Markdown."""
    return fill_page(
        "vendor_answers_page",
        kinds=_kinds_table(),
        statuses=_answers_table("status", _status_rows()),
        pisano=_answers_table("code", ((f"`{code}`", row) for code, row in pisano.CODES.items())),
        radar=_answers_table("answer", _radar_rows()),
        batch=_answers_table("rule", _batch_rows()),
        words=table(("reason", "the log's `answer`", "what happened"), _words()),
        wire=table(("what came", *_VENDORS.values()), WIRE.values()),
    )


def _words() -> Iterator[tuple[str, str, str]]:
    """Yield the words for a call that was not accepted."""
    for words, sentence in NOT_REACHED.items():
        yield words, "`connect_error`", sentence
    for answer, words in FAILURES.items():
        yield words, f"`{answer}`", _WITHOUT_ANSWER[answer]
    yield "vendor error HTTP 503", "the status", "a 5xx"
    yield from ((f"HTTP {status}: {what}", "the status", why) for status, what, why in _BY_STATUS)


def _kinds_table() -> str:
    rows = [
        (f"`{kind}`", effect.fault, effect.invitations, effect.operator)
        for kind, effect in EFFECTS.items()
    ]
    return table(("kind", *_COLUMNS[2:]), rows)


def _answers_table(first: str, rows: Iterable[tuple[str, Row]]) -> str:
    return table((first, *_COLUMNS), (_answer_row(name, row) for name, row in rows))


def _answer_row(name: str, row: Row) -> tuple[str, ...]:
    if row.kind is Kind.BY_STATUS:
        return (name, row.meaning, *["by the status"] * 4)
    effect = EFFECTS[row.kind]
    return (name, row.meaning, f"`{row.kind}`", effect.fault, effect.invitations, effect.operator)


def _status_rows() -> list[tuple[str, Row]]:
    named = [(str(status), row) for status, row in STATUSES.items()]
    hundreds = [(f"other {hundred}xx", row) for hundred, row in HUNDREDS.items()]
    foreign = ("4xx not of the vendor's form", FOREIGN)
    page = ("2xx not of the vendor's form", FOREIGN_SUCCESS)
    return [*named, *hundreds, foreign, page, ("any other", NO_HTTP)]


def _radar_rows() -> list[tuple[str, Row]]:
    messages = [(f'"{part}"', row) for part, row in customer_radar.MESSAGES.items()]
    return [
        *((f'200, `"{code}"`', row) for code, row in customer_radar.CODES.items()),
        *messages,
        ("2xx, any other code", customer_radar.FAILURE),
        ("2xx, anything else", customer_radar.SILENCE),
        *((str(status), row) for status, row in customer_radar.STATUSES.items()),
    ]


def _batch_rows() -> list[tuple[str, Row]]:
    rules = [(f"`{name}`", row) for name, row in answer_rules.BY_RULE.items()]
    return [
        ("`success`", HUNDREDS[2]),
        *rules,
        ("a 2xx with another rule's code", http_batch.PARTLY),
        ("a 2xx without a rule", http_batch.UNNAMED),
        ("`success`, `failed_entries` names each recipient", http_batch.ALL_FAILED),
        ("`success`, a failure that names no recipient", http_batch.UNMATCHED),
        ("`success`, no list where `failed_entries` looks", http_batch.UNTOLD),
        ("401 with `oauth`", http_batch.NO_SESSION),
    ]
