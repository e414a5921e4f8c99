"""The reference: a naive loop that looks fields up in dicts; one Kafka transaction a batch.

No config, no checks, no permits, no ledger, no second stage: the least that does the job. After a
crash it may lose events: the offsets of a transaction may be ahead of its batch. Its settings are
in the environment, as those of each peer; it ends when it has seen `EVENTS`.
"""

from __future__ import annotations

import os
from typing import Any

import httpx
import orjson
from confluent_kafka import Consumer, Producer

BATCH = 5000


class Loop:
    """Clients and the batch that fills."""

    def __init__(self) -> None:
        bootstrap = os.environ["KAFKA_BOOTSTRAP"]
        self.consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": os.environ["GROUP"],
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "queued.max.messages.kbytes": 16384,
            }
        )
        self.consumer.subscribe([os.environ["SOURCE_TOPIC"]])
        self.producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "transactional.id": os.environ["GROUP"],
                "linger.ms": 5,
                "queue.buffering.max.messages": 100_000,
            }
        )
        self.producer.init_transactions(20)
        self.http = httpx.Client(headers={"Authorization": "Token token=abc"})
        self.url = os.environ["SINK_URL"] + "/v1/sms_campaigns/c1/sms_sharings"
        self.results = os.environ["RESULT_TOPIC"]
        self.batch: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        self.events: list[str] = []

    def run(self, count: int) -> None:
        """Do the work of so many events."""
        seen = 0
        while seen < count:
            for message in self.consumer.consume(2000, 0.5):
                if message.error():
                    continue
                seen += 1
                self.add(orjson.loads(message.value() or b""))
                if len(self.batch) >= BATCH:
                    self.flush()
        if self.events:
            self.flush()

    def add(self, event: dict[str, Any]) -> None:
        """Look up what the vendor wants."""
        if event["channel"] == "pos" and event["amount"] > 10:
            customer, store = event["customer"], event["store"]
            if phone := customer["phone"]:
                self.events.append(event["id"])
                self.batch[phone] = (
                    {
                        "name": customer["name"],
                        "external_id": customer["id"],
                        "email": customer["email"],
                    },
                    {"Segment": store["id"], "Location": store["city"]},
                )

    def flush(self) -> None:
        """One call; results and offsets in one transaction."""
        body = {
            "phone_numbers": list(self.batch),
            "custom_attributes": {phone: data[0] for phone, data in self.batch.items()},
            "built_in_responses": {phone: data[1] for phone, data in self.batch.items()},
        }
        answer = self.http.post(
            self.url, content=orjson.dumps(body), headers={"Content-Type": "application/json"}
        )
        self.producer.begin_transaction()
        for event in self.events:
            result = {
                "event_id": event,
                "status": "accepted",
                "http": answer.status_code,
                "campaign": "c1",
            }
            self.producer.produce(self.results, orjson.dumps(result), event)
        self.producer.send_offsets_to_transaction(
            self.consumer.position(self.consumer.assignment()),
            self.consumer.consumer_group_metadata(),
            10,
        )
        self.producer.commit_transaction(30)
        self.batch, self.events = {}, []


if __name__ == "__main__":
    Loop().run(int(os.environ["EVENTS"]))
