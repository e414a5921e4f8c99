"""The identities of rows that were sent, on the compacted topic `<application_id>.uploaded`.

The key is the route and the identity: `survey-a|0123…`; the value is when the row was sent (RFC
3339). Row and identity are written in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from confluent_kafka import Message, Producer

from consumer.errors import OperationError
from consumer.kafka import transactions
from consumer.kafka.records.messages import key_of, value_of
from consumer.kafka.topics import problems, upload_topics
from consumer.operations.access import Access
from consumer.operations.uploads.identity import SIZE
from consumer.operations.uploads.row_store import RowStore


def refuse_unfit_topics(access: Access) -> None:
    """Raise OperationError unless both topics are there, and the one of identities keeps them."""
    if found := problems(access.admin, upload_topics(access.topics), []):
        raise OperationError(
            "; ".join(found) + ". `survey-dispatcher topics --create` makes what is missing"
        )


def load_sent(access: Access, route: str, store: RowStore) -> None:
    """Record in the store which rows of a route were sent by now."""
    head = f"{route}|".encode()
    with access.reader() as reader:
        store.add_sent(_identities(access.everything(reader, [access.topics.uploaded]), head))


def write_rows(
    access: Access, producer: Producer, route: str, rows: Sequence[tuple[bytes, bytes]], now: str
) -> None:
    """Produce rows, each an identity and a value, with their identities; inside a transaction."""
    uploads, uploaded, sent_at = access.topics.uploads, access.topics.uploaded, now.encode()
    records: list[transactions.Record] = []
    for identity, value in rows:
        name = identity.hex()
        records.append((uploads, value, name, 0, None))
        records.append((uploaded, sent_at, f"{route}|{name}", 0, None))
    transactions.produce_all(producer, records)


def _identities(records: Iterable[Message], head: bytes) -> Iterator[bytes]:
    for record in records:
        key = key_of(record) or b""
        if key.startswith(head) and value_of(record) is not None:
            try:
                identity = bytes.fromhex(key[len(head) :].decode())
            except ValueError:
                continue
            if len(identity) == SIZE:
                yield identity
