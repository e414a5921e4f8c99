"""Publisher of the program's own records: values, keys and headers on Kafka."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from consumer.config.topic_names import Topics
from consumer.kafka import transactions
from consumer.kafka.client_settings import MESSAGE_MAX_BYTES
from consumer.kafka.records.delayed import Delayed
from consumer.kafka.records.fitting import Fitting, fitting
from consumer.kafka.records.messages import content_of, position_of
from consumer.lane.state.delay_steps import DelayedInvitation
from consumer.records.dead_letter import DeadLetter, DeadLetterReason
from consumer.records.fields import RECORD_VERSION
from consumer.records.readers import wire_prefix
from consumer.records.result import EncodedResult
from consumer.records.trace_context import HEADER

RECORD_ROOM = MESSAGE_MAX_BYTES - 64 * 1024
"""Bytes of original key, value and headers that fit beside the program's headers."""

LONGEST_WHY = 200

RESULT_TYPE = b"survey-dispatcher.result.v1"


class Publisher:
    """Writes results and dead letters inside a transaction of `client`.

    Results carry CloudEvents attributes (binary mode of the Kafka protocol binding): `ce_id` is the
    invitation's id, `ce_source` this application and stage; `traceparent` is the event's trace
    context. With `schema_id` their values are in
    the wire format of schema registries: byte 0 and that id before the JSON.
    """

    def __init__(
        self,
        client: Producer,
        results: str,
        dead_letters: str,
        source: str,
        version: str,
        schema_id: int | None = None,
    ) -> None:
        self._client = client
        self._results = results
        self._dead_letters = dead_letters
        self._source = source.encode()
        self._version = version
        self._prefix = b"" if schema_id is None else wire_prefix(schema_id)

    def results(self, results: Iterable[EncodedResult], now: str) -> None:
        """Produce results, keyed by event id. `now` (RFC 3339): `ce_time` of one without a call."""
        shared: dict[str, str | bytes | None] = {
            "ce_specversion": b"1.0",
            "ce_type": RESULT_TYPE,
            "ce_source": self._source,
            "content-type": b"application/json",
        }

        def record(result: EncodedResult) -> transactions.Record:
            headers = {**shared, "ce_id": result.id, "ce_time": result.answered_at or now}
            if result.traceparent:
                headers[HEADER] = result.traceparent
            return (
                self._results,
                self._prefix + result.value,
                result.event_id,
                transactions.ANY,
                headers,
            )

        transactions.produce_all(self._client, map(record, results))

    def put_off(
        self, put_off: Sequence[DelayedInvitation], lane: str, topics: Topics, now: float
    ) -> None:
        """Produce invitations on the delay topics; `now` is by the lane's clock."""
        for delayed in put_off:
            held = delayed.invitation
            record = Delayed(lane, held.arrived, delayed.due_at, held.recipient, delayed.record())
            record.put(self._client, topics.delayed(delayed.step), now)

    def dead_letters(self, letters: Sequence[DeadLetter], now: str) -> None:
        """Produce dead letters byte for byte: the original headers first, the program's behind
        them.

        A dead letter too large for Kafka loses its largest parts. Its source offset still locates
        the original, and a record that cannot be written would be retried forever.
        """
        for letter in letters:
            written = fitting(letter, RECORD_ROOM)
            try:
                self._dead_letter(written, now)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                    raise
                self._dead_letter(fitting(letter, 0), now)

    def _dead_letter(self, written: Fitting, now: str) -> None:
        letter = written.letter
        ours = dead_letter_headers(letter, now, self._version)
        headers: transactions.Headers = [*letter.headers, *ours, *written.lost]
        transactions.produce(
            self._client, self._dead_letters, letter.value, key=letter.key, headers=headers
        )


def dead_letter_of(message: Message, reason: DeadLetterReason, why: str) -> DeadLetter:
    """Return the message as a dead letter; `why` must repeat nothing of it."""
    topic, partition, offset = position_of(message)
    content = content_of(message)
    return DeadLetter(
        reason,
        why[:LONGEST_WHY],
        {"topic": topic, "partition": partition, "offset": offset},
        content.key,
        content.value,
        content.headers,
        content.timestamp,
        content.unreadable,
    )


def bad_invitation(message: Message, why: str) -> DeadLetter:
    """Return a dead letter of a record that is no invitation; `why` must repeat nothing of it."""
    return dead_letter_of(message, DeadLetterReason.BAD_INVITATION, why)


def dead_letter_headers(letter: DeadLetter, now: str, version: str) -> list[tuple[str, bytes]]:
    """Return the headers with reason and source; all names begin with `dead_letter.`."""
    source = letter.source
    texts = {
        "version": str(RECORD_VERSION),
        "reason": letter.reason.value,
        "message": letter.message[:LONGEST_WHY],
        "topic": source["topic"],
        "partition": str(source["partition"]),
        "offset": str(source["offset"]),
        "timestamp": str(letter.timestamp),
        "at": now,
        "config_version": version,
    }
    if letter.unreadable:
        texts["unreadable"] = letter.unreadable
    return [(f"dead_letter.{name}", text.encode()) for name, text in texts.items()]
