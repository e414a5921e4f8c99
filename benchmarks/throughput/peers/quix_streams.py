"""Quix Streams: filter and map in a StreamingDataFrame, the calls in a BatchingSink of our own.

Quix flushes sinks at each checkpoint (here every 20,000 events or 1 s) and commits the offsets
after that; a BatchingSink keeps one batch for each partition. Its interpreter is in `.cache/peers`.
"""

from __future__ import annotations

import os
from typing import Any

import httpx
import orjson
from quixstreams import Application
from quixstreams.sinks import BatchingSink, SinkBackpressureError, SinkBatch

MAX_RECIPIENTS = 5000
COMMIT_EVERY = MAX_RECIPIENTS * 4


class SmsSharingSink(BatchingSink):  # type: ignore[misc]
    """Calls the vendor, then produces a result for each recipient."""

    def __init__(self, url: str, token: str, producer: Any, results: str) -> None:
        super().__init__()
        self._url, self._token, self._producer, self._results = url, token, producer, results

    def setup(self) -> None:
        """Open the connection pool."""
        self._client = httpx.Client(
            headers={
                "Authorization": f"Token token={self._token}",
                "Content-Type": "application/json",
            }
        )

    def write(self, batch: SinkBatch) -> None:
        """Call for each chunk."""
        for chunk in batch.iter_chunks(n=MAX_RECIPIENTS):
            self._share([item.value for item in chunk])

    def flush(self) -> None:
        """Wait for the results of the checkpoint."""
        super().flush()
        if self._producer.flush() > 0:
            raise RuntimeError("results were not delivered")

    def _share(self, rows: list[dict[str, Any]]) -> None:
        body = {
            "phone_numbers": [row["phone"] for row in rows],
            "custom_attributes": {row["phone"]: row["attributes"] for row in rows},
            "built_in_responses": {row["phone"]: row["responses"] for row in rows},
        }
        response = self._client.post(self._url, content=orjson.dumps(body))
        if response.status_code == 429:
            raise SinkBackpressureError(retry_after=5.0)
        response.raise_for_status()
        for row in rows:
            result = {
                "event_id": row["event_id"],
                "status": "accepted",
                "http": response.status_code,
                "campaign": "c1",
            }
            self._producer.produce(
                topic=self._results,
                key=row["event_id"],  # without a key, all would be in one partition
                value=orjson.dumps(result),
            )


def wanted(event: dict[str, Any]) -> bool:
    """Select as the others do."""
    has_phone = bool(event["customer"].get("phone"))
    return event["channel"] == "pos" and event["amount"] > 10 and has_phone


def to_recipient(event: dict[str, Any]) -> dict[str, Any]:
    """Map as the others do."""
    customer, store = event["customer"], event["store"]
    return {
        "event_id": event["id"],
        "phone": customer["phone"],
        "attributes": {
            "name": customer.get("name"),
            "external_id": customer["id"],
            "email": customer.get("email"),
        },
        "responses": {"Segment": store["id"], "Location": store["city"]},
    }


def main() -> None:
    """Run until SIGTERM."""
    app = Application(
        broker_address=os.environ["KAFKA_BOOTSTRAP"],
        consumer_group=os.environ["GROUP"],
        auto_offset_reset="earliest",
        commit_interval=1.0,
        commit_every=COMMIT_EVERY,
        loglevel="WARNING",
    )
    transactions = app.topic(os.environ["SOURCE_TOPIC"], value_deserializer="json")
    sink = SmsSharingSink(
        url=os.environ["SINK_URL"] + "/v1/sms_campaigns/c1/sms_sharings",
        token="abc",
        producer=app.get_producer(),
        results=os.environ["RESULT_TOPIC"],
    )
    frame = app.dataframe(transactions)
    frame = frame.filter(wanted).apply(to_recipient)
    frame.sink(sink)
    app.run()


if __name__ == "__main__":
    main()
