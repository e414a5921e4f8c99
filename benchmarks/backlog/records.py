"""Write invitations straight to a lane's topic, as the router does, and count their results.

A customer is a number: it stands in the event's id, the phone number and the e-mail address. So
three million customers are counted in three million bytes, for results and for the vendor's calls.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Self

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from consumer.records.fields import rfc3339
from consumer.records.invitation import INVITATION_VERSION, Invitation, encode_invitation
from tests.support.kafka import unique

CAMPAIGNS = {"store": "purchase-sms", "web": "purchase-email"}
IN_A_TRANSACTION = 5_000
EXPIRES_IN = 72 * 3600.0


def write_backlog(
    bootstrap: str, topic: str, invitations: Iterable[tuple[str, int]]
) -> dict[str, float]:
    """Write (channel, customer) each, in transactions as the router does; what that took."""
    settings = {
        "bootstrap.servers": bootstrap,
        "transactional.id": unique("benchmark"),
        "linger.ms": 20,
        "compression.type": "lz4",
        "queue.buffering.max.messages": 1_000_000,
    }
    producer = Producer(settings)
    producer.init_transactions(30)
    number, size, began = 0, 0, time.monotonic()
    for channel, customer in invitations:
        if number % IN_A_TRANSACTION == 0:
            if number:
                producer.commit_transaction(30)
            producer.begin_transaction()
        key, value = invitation(channel, customer, time.time())
        producer.produce(topic, value, key, 0)
        number += 1
        size += len(value)
    producer.commit_transaction(30)
    seconds = time.monotonic() - began
    return {"records": number, "bytes_each": size // number, "seconds": round(seconds, 1)}


def invitation(channel: str, customer: int, now: float) -> tuple[str, bytes]:
    """Key and value of one that arrived at `now`."""
    phone = f"+90532{customer:07d}"
    email = f"customer{customer}@mail.example.com"
    name = f"{channel}-{customer}"
    digest = hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
    pseudonym = f"k1:{digest}{digest[:11]}"
    at = rfc3339(now)
    made: Invitation = {
        "version": INVITATION_VERSION,
        "id": digest,
        "event_id": name,
        "event_time": at,
        "routed_at": at,
        "expires_at": now + EXPIRES_IN,
        "route": channel,
        "campaign": CAMPAIGNS[channel],
        "pseudonym": pseudonym,
        "address": {"email": email} if channel == "web" else {"phone": phone},
        "data": {"custom_attributes": {"name": f"Customer Nr{customer}"}},
        "config_version": "benchmark",
        "source": {"topic": "benchmark", "partition": 0, "offset": customer},
    }
    return pseudonym, encode_invitation(made)


class Counts:
    """Channel → how often each customer was counted (255 at most)."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.times = {channel: bytearray(size) for channel, size in sizes.items()}
        self.total = 0

    def add(self, channel: str, customer: int) -> None:
        """One more."""
        times = self.times[channel]
        times[customer] = min(times[customer] + 1, 255)
        self.total += 1

    def summary(self, channel: str, customers: int | None = None) -> dict[str, int]:
        """How many were counted never, once, and more than once; of the first so many."""
        times = self.times[channel][:customers]
        never, once = times.count(0), times.count(1)
        return {"never": never, "once": once, "more": len(times) - never - once}


class Results:
    """Reads the results as they become visible. A context manager."""

    def __init__(self, bootstrap: str, topic: str, sizes: Mapping[str, int]) -> None:
        self.counts = Counts(sizes)
        self.reasons: dict[str, Counter[str]] = {channel: Counter() for channel in sizes}
        self.waits: list[tuple[float, float]] = []
        """When the event was written, and seconds until the vendor had answered."""
        self.timed: str | None = None
        """The channel whose waits are wanted."""
        self._reader = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": unique("results"),
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "queued.max.messages.kbytes": 32 * 1024,
            }
        )
        parts = self._reader.list_topics(topic, timeout=20).topics[topic].partitions
        self._reader.assign([TopicPartition(topic, part, OFFSET_BEGINNING) for part in parts])

    def read(self, seconds: float) -> int:
        """What came within so many seconds, at least one poll; how many there are so far."""
        until = time.monotonic() + seconds
        while True:
            messages = self._reader.consume(10_000, 0.1)
            for message in messages:
                if message.error() is None:
                    self._count(message.value() or b"")
            if time.monotonic() >= until:
                return self.counts.total

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    def _count(self, value: bytes) -> None:
        result = orjson.loads(value)
        channel, _, customer = result["event_id"].partition("-")
        self.counts.add(channel, int(customer))
        self.reasons[channel][result["reason"]] += 1
        if channel == self.timed and result["answered_at"]:
            at = _seconds(result["event_time"])
            self.waits.append((at, _seconds(result["answered_at"]) - at))


def read_journal(path: Path, sizes: Mapping[str, int]) -> Counts:
    """Return the customers that the vendor accepted, from the double's file."""
    counts = Counts(sizes)
    for line in path.open() if path.exists() else ():
        call = json.loads(line)
        if call["accepted"]:
            for recipient in call["recipients"]:
                counts.add(*_customer(recipient))
    return counts


def _customer(recipient: str) -> tuple[str, int]:
    if recipient.startswith("+"):
        return "store", int(recipient.removeprefix("+90532"))
    return "web", int(recipient.partition("@")[0].removeprefix("customer"))


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
