"""The peer: a plain single-threaded loop with dict look-ups and one Kafka transaction a batch.

No routing config, no recipient check, no ledger, no permits: the least that does the job.
`python -m benchmarks.throughput.plain_loop BOOTSTRAP INPUT RESULTS URL EVENTS`
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import httpx
from confluent_kafka import Consumer, Message, Producer, TopicPartition

BATCH = 5000
LINGER = 1.0


def main(bootstrap: str, source: str, target: str, url: str, count: int) -> None:
    """Consume, look up, call, publish, commit, until `count` events are done."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "plain-loop",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "transactional.id": "plain-loop",
            "linger.ms": 5,
            "queue.buffering.max.messages": 500_000,
        }
    )
    producer.init_transactions()
    consumer.subscribe([source])
    done = 0
    with httpx.Client() as client:
        while done < count:
            messages = batch(consumer)
            if messages:
                send(messages, consumer, producer, client, url, target)
                done += len(messages)
    consumer.close()


def batch(consumer: Consumer) -> list[Message]:
    """Up to 5,000 messages, or what came in a second."""
    messages: list[Message] = []
    until = time.monotonic() + LINGER
    while len(messages) < BATCH and (left := until - time.monotonic()) > 0:
        messages += consumer.consume(BATCH - len(messages), min(left, 0.1))
    return messages


def send(
    messages: list[Message],
    consumer: Consumer,
    producer: Producer,
    client: httpx.Client,
    url: str,
    target: str,
) -> None:
    """One call, one result each, one transaction."""
    events = [json.loads(message.value() or b"") for message in messages]
    answer = client.post(url, json=body(events))
    producer.begin_transaction()
    for event in events:
        result = {
            "id": event["id"],
            "status": "accepted" if answer.status_code == 200 else "failed",
            "http_status": answer.status_code,
            "time": event["time"],
            "store": event["store"]["id"],
        }
        producer.produce(target, json.dumps(result), event["id"])
    offsets: dict[int, int] = {}
    for message in messages:
        offsets[message.partition() or 0] = (message.offset() or 0) + 1
    topic = messages[0].topic() or ""
    producer.send_offsets_to_transaction(
        [TopicPartition(topic, number, offset) for number, offset in offsets.items()],
        consumer.consumer_group_metadata(),
    )
    producer.commit_transaction()


def body(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The vendor's body by dict look-ups."""
    selected = [event for event in events if event["channel"] == "pos" and event["amount"] >= 100]
    return {
        "phone_numbers": [event["customer"]["phone"] for event in selected],
        "custom_attributes": {
            event["customer"]["phone"]: {
                "name": event["customer"]["name"],
                "external_id": event["customer"]["id"],
            }
            for event in selected
        },
        "built_in_responses": {
            event["customer"]["phone"]: {
                "Segment": event["customer"]["segment"],
                "Location": event["store"]["city"],
                "TransactionDate": event["time"],
            }
            for event in selected
        },
    }


if __name__ == "__main__":
    bootstrap, source, target, url, count = sys.argv[1:]
    main(bootstrap, source, target, url, int(count))
