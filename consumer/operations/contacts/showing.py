"""What is known of a person, from the topics or from the store, and its terminal output."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from consumer.contacts.book import ContactBook
from consumer.errors import UnreadableRecord
from consumer.kafka.records.messages import value_of
from consumer.operations.access import Access
from consumer.operations.contacts.contact_topic import read_contacts
from consumer.records.contact_record import ContactRecord, SuppressionRecord
from consumer.records.fields import rfc3339
from consumer.records.readers import read_result
from consumer.wiring.contact_store import open_store
from consumer.wiring.contacts import build_contact_rules

HEADS = ("what", "when", "of", "until", "under", "source")


def from_topics(access: Access, persons: Collection[str]) -> list[dict[str, Any]]:
    """Return suppressions and answers, then what results say, oldest first."""
    records = [one for one in read_contacts(access).values() if one.person in persons]
    found = [row_of(record) for record in sorted(records, key=lambda one: one.at)]
    return [*found, *_results(access, persons)]


def _results(access: Access, persons: Collection[str]) -> Iterator[dict[str, Any]]:
    with access.reader() as reader:
        for message in access.everything(reader, [access.topics.results]):
            try:
                result = read_result(value_of(message))
            except UnreadableRecord:
                continue
            named = {*(result.get("person") or ()), result["recipient"]} & {*persons}
            if named:
                yield {
                    "what": f"{result['status']} ({result['reason']})",
                    "when": result["sent_at"] or result["routed_at"],
                    "of": f"{result['route']} {result['campaign'] or ''}".strip(),
                    "until": "",
                    "under": " ".join(sorted(map(str, named))),
                    "source": "results",
                }


def from_store(access: Access, persons: Collection[str]) -> list[dict[str, Any]]:
    """Return what the contact store has. Raises StoreUnavailable: a file belongs to the running
    process alone."""
    store = open_store(access.config, access.now)
    try:
        book = ContactBook(store, build_contact_rules(access.config))
        histories = book.histories(sorted(persons))
    finally:
        store.close()
    found = []
    for person, history in histories.items():
        for contact in history.contacts:
            facts = contact.facts
            what, of = contact.state.name.lower(), f"{facts.route} {facts.campaign}".strip()
            found.append(_row(what, contact.at, of, None, person, "store"))
        for answer in history.answers:
            of = f"{answer.facts.route} {answer.facts.campaign}" if answer.facts else ""
            found.append(_row("answer", answer.at, of, None, person, "store"))
        for one in history.suppressions:
            what = f"{one.reason}, removed" if one.removed else one.reason
            found.append(_row(what, one.at, one.scope, one.until, person, "store"))
    return found


def row_of(record: ContactRecord) -> dict[str, Any]:
    """Return a record as a row."""
    if isinstance(record, SuppressionRecord):
        what = f"{record.reason}, removed" if record.removed else record.reason
        scope = record.scope or "everything"
        return _row(what, record.at, scope, record.until, record.person, record.source)
    of = f"{record.route} {record.campaign}".strip()
    return _row("answer", record.at, of, None, record.person, record.source)


def _row(
    what: str, at: float, of: str, until: float | None, person: str, source: str
) -> dict[str, Any]:
    end = "" if until is None else rfc3339(until)
    values = what, rfc3339(at), of, end, person, source
    return dict(zip(HEADS, values, strict=True))
