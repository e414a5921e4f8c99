"""Reads and writes `<app>.contacts` for an operator's commands."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from consumer.errors import OperationError, UnreadableRecord
from consumer.kafka import transactions
from consumer.kafka.queries import topic_names
from consumer.kafka.records.messages import value_of
from consumer.kafka.transaction_size import TransactionSize
from consumer.operations.access import Access
from consumer.records.contact_record import (
    ContactRecord,
    SuppressionRecord,
    encode_contact_record,
    read_contact_record,
)

MOST_AT_ONCE = 1_000
"""Records of a transaction."""

Contacts = Mapping[str, ContactRecord]
"""Key → the last word on it."""


def last_words(records: Iterable[ContactRecord]) -> dict[str, ContactRecord]:
    """Return the newest record of each key; of two of one time the one that suppresses."""
    found = dict[str, ContactRecord]()
    for record in records:
        former = found.get(record.key)
        if former is None or _strength(record) >= _strength(former):
            found[record.key] = record
    return found


def _strength(record: ContactRecord) -> tuple[float, bool]:
    return record.at, not (isinstance(record, SuppressionRecord) and record.removed)


def read_contacts(access: Access) -> dict[str, ContactRecord]:
    """Return everything on the topic. Raises OperationError if it is missing."""
    topic = access.topics.contacts
    _require(access, topic)
    found = list[ContactRecord]()
    with access.reader() as reader:
        for message in access.everything(reader, [topic]):
            try:
                found.append(read_contact_record(value_of(message)))
            except UnreadableRecord:  # of a later version, or a tombstone
                continue
    return last_words(found)


def write_contacts(access: Access, records: Sequence[ContactRecord]) -> None:
    """Write records for the running processes. Raises OperationError, KafkaSessionError."""
    topic = access.topics.contacts
    _require(access, topic)
    size = TransactionSize(MOST_AT_ONCE)
    producer = access.fenced_producer(f"operator.{uuid.uuid4().hex}", size)
    for start in range(0, len(records), MOST_AT_ONCE):
        some = records[start : start + MOST_AT_ONCE]
        with access.transaction(producer, "writing contacts", size, len(some)):
            for record in some:
                value = encode_contact_record(record)
                transactions.produce(producer, topic, value, key=record.key, partition=0)


def _require(access: Access, topic: str) -> None:
    if access.config.contacts is None:
        raise OperationError("the config has no `contacts`: no process would obey this")
    if topic not in topic_names(access.admin, topic):
        hint = "`survey-dispatcher topics --create` creates it"
        raise OperationError(f"topic {topic} is missing: {hint}")


def rows_by_key(contacts: Contacts) -> dict[str, Counter[str]]:
    """Return key id → how many records of each kind stand under it; those that were removed do not
    count."""
    found = dict[str, Counter[str]]()
    for record in contacts.values():
        kind = record.reason if isinstance(record, SuppressionRecord) else "answer"
        if not (isinstance(record, SuppressionRecord) and record.removed):
            found.setdefault(record.person.rpartition(":")[0], Counter())[str(kind)] += 1
    return found


def copies_under_all_keys(
    contacts: Contacts, identities: Sequence[Sequence[str]]
) -> list[ContactRecord]:
    """Return what must be written so that each identity's records stand under all its pseudonyms.

    `identities`: of each the pseudonyms under the listed keys. A newer record is never replaced.
    """
    by_person = dict[str, list[ContactRecord]]()
    for record in contacts.values():
        by_person.setdefault(record.person, []).append(record)
    wanted = dict[str, ContactRecord]()
    for pseudonyms in identities:
        known = [record for person in pseudonyms for record in by_person.get(person, ())]
        copies = [replace(record, person=person) for person in pseudonyms for record in known]
        wanted.update(last_words(copies))
    return [record for key, record in wanted.items() if contacts.get(key) != record]
