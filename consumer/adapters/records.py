"""How our records look on Kafka: values, keys and headers."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from confluent_kafka import Producer

from consumer.adapters import kafka
from consumer.model import DeadLetter, Result

RESULT_TYPE = b"survey-dispatcher.result.v1"


class Publisher:
    """Writes results and dead letters inside a transaction of `client`.

    Results carry CloudEvents attributes (binary mode of the Kafka protocol binding): `ce_id` is
    the invitation's id, `ce_source` this application and stage.
    """

    def __init__(
        self, client: Producer, results: str, dead_letters: str, source: str, version: str
    ) -> None:
        self._client = client
        self._results = results
        self._dead_letters = dead_letters
        self._source = source.encode()
        self._version = version

    def results(self, results: Sequence[Result], now: str) -> None:
        """Keyed by event id. `now` (RFC 3339) is the CloudEvents time where no call was made."""
        for result in results:
            headers: kafka.Headers = {
                "ce_specversion": b"1.0",
                "ce_type": RESULT_TYPE,
                "ce_source": self._source,
                "ce_id": result["id"].encode(),
                "ce_time": (result["answered_at"] or now).encode(),
                "content-type": b"application/json",
            }
            kafka.produce(
                self._client,
                self._results,
                orjson.dumps(result),
                key=result["event_id"],
                headers=headers,
            )

    def dead_letters(self, letters: Sequence[DeadLetter], now: str) -> None:
        """Byte for byte, with the original headers first and ours behind them."""
        for letter in letters:
            headers: kafka.Headers = [
                *letter.headers,
                *dead_letter_headers(letter, now, self._version),
            ]
            kafka.produce(
                self._client, self._dead_letters, letter.value, key=letter.key, headers=headers
            )


def dead_letter_headers(letter: DeadLetter, now: str, version: str) -> list[tuple[str, bytes]]:
    """Why and from where; all begin with `dead_letter.`."""
    source = letter.source
    texts = {
        "reason": letter.reason.value,
        "message": letter.message,
        "topic": source["topic"],
        "partition": str(source["partition"]),
        "offset": str(source["offset"]),
        "timestamp": str(letter.timestamp),
        "at": now,
        "config_version": version,
    }
    return [(f"dead_letter.{name}", text.encode()) for name, text in texts.items()]
