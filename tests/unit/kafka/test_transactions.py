"""What Kafka leaves open: commits that time out, records without a place, goodbyes that fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

from consumer.errors import KafkaSessionError
from consumer.kafka import clients, transactions
from consumer.kafka.clients import KafkaClients
from consumer.kafka.records.checkpoints import claim
from consumer.kafka.records.messages import position_of

TIMED_OUT = KafkaException(KafkaError(KafkaError._TIMED_OUT, "no answer", retriable=True))
FENCED = KafkaException(KafkaError(KafkaError._FENCED, "somebody else", fatal=True))
UNKNOWN = -1001
"""How librdkafka says that it does not know an offset."""


class Reluctant:
    """A producer whose commits and `init_transactions` fail in turn, and then succeed."""

    def __init__(self, *failures: KafkaException, offset: int = UNKNOWN) -> None:
        self._failures: Iterator[KafkaException] = iter(failures)
        self._claim = Message(topic="c", partition=0, offset=offset)
        self._delivered: list[Callable[..., None]] = []
        self.committed = self.aborted = False

    def _attempt(self, _timeout: float) -> None:
        for failure in self._failures:
            raise failure
        self.committed = True

    init_transactions = commit_transaction = _attempt

    def begin_transaction(self) -> None:
        self.committed = self.aborted = False

    def abort_transaction(self, _timeout: float) -> None:
        self.aborted = True

    def produce(self, *_: Any, on_delivery: Callable[..., None]) -> None:
        self._delivered.append(on_delivery)

    def flush(self, _timeout: float) -> int:
        for delivered in self._delivered:
            delivered(None, self._claim)
        return 0


def as_producer(client: Reluctant) -> Producer:
    return cast("Producer", client)


def test_a_commit_that_times_out_is_tried_until_it_is_definite_and_never_aborted() -> None:
    client = Reluctant(*[TIMED_OUT] * 30)
    asked: list[bool] = []

    def give_up() -> bool:
        asked.append(True)
        return False

    with transactions.transaction(as_producer(client), give_up):
        pass
    assert (client.committed, client.aborted) == (True, False)
    assert len(asked) == 30, "the loop must show that it is alive after every attempt"


def test_a_failed_or_fenced_start_discards_the_client() -> None:
    with pytest.raises(KafkaSessionError, match="_TIMED_OUT"):
        transactions.fence(as_producer(Reluctant(*[TIMED_OUT] * 3)), lambda: True)
    with pytest.raises(KafkaSessionError, match="_FENCED"):
        transactions.fence(as_producer(Reluctant(FENCED)), lambda: False)


def test_the_claims_offset_is_the_epoch() -> None:
    assert claim(as_producer(Reluctant(offset=0)), "c", "pisano", lambda: False) == 0
    assert claim(as_producer(Reluctant(offset=41)), "c", "pisano", lambda: False) == 41


def test_a_claim_at_an_unknown_offset_is_no_claim() -> None:
    """Taken for 0 it would hide every checkpoint, and the lane would send everything again."""
    with pytest.raises(KafkaSessionError, match="not delivered"):
        claim(as_producer(Reluctant(offset=UNKNOWN)), "c", "pisano", lambda: False)


def test_a_fenced_flush_raises_what_fenced_it_and_no_ring() -> None:
    """confluent-kafka raises a SystemError because of it (see the contract suite)."""

    class Fenced(Reluctant):
        def flush(self, _timeout: float) -> int:
            raise SystemError("a callback ran with an exception set") from fenced

    fenced = KafkaException(KafkaError(KafkaError._FENCED, "somebody else", fatal=True))
    with pytest.raises(KafkaException) as caught:
        transactions.flush(as_producer(Fenced()))
    assert caught.value is fenced
    assert fenced.__context__ is None


def test_another_defect_of_a_flush_is_not_hidden() -> None:
    class Broken(Reluctant):
        def flush(self, _timeout: float) -> int:
            raise SystemError("something else")

    with pytest.raises(SystemError, match="something else"):
        transactions.flush(as_producer(Broken()))


def test_a_record_has_a_place_or_is_trouble() -> None:
    assert position_of(Message(topic="t", partition=0, offset=0)) == ("t", 0, 0)
    for place in ({"partition": 0, "offset": 1}, {"topic": "t", "offset": 1}, {"topic": "t"}):
        with pytest.raises(KafkaSessionError):
            position_of(Message(**place))


class Left:
    """A consumer whose group has let it go."""

    def unsubscribe(self) -> None:
        """It can."""

    def consume(self, _records: int, _seconds: float) -> list[Message]:
        return []

    def memberid(self) -> str:
        return ""


@pytest.mark.parametrize("failure", [TIMED_OUT, KafkaSessionError("in a callback")])
def test_a_goodbye_that_fails_hides_nothing(failure: Exception) -> None:
    class Stuck(Left):
        def close(self) -> None:
            raise failure

    KafkaClients({}).close(cast("Consumer", Stuck()))


def test_an_unanswered_leave_request_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered = threading.Event()

    class Mute(Left):
        def close(self) -> None:
            answered.wait()

    monkeypatch.setattr(clients, "CLOSE_WAIT", 0.01)
    KafkaClients({}).close(cast("Consumer", Mute()))
    answered.set()


def test_offsets_that_librdkafka_never_answers_are_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered = threading.Event()

    class Stuck:
        def send_offsets_to_transaction(self, *_: object) -> None:
            answered.wait()

    monkeypatch.setattr(transactions, "OFFSETS_GRACE", 0.01)
    with pytest.raises(KafkaSessionError, match="did not come back"):
        transactions.send_offsets(cast("Producer", Stuck()), [], object(), 0.01, lambda: False)
    answered.set()


def test_offsets_that_a_slow_broker_answers_late_are_waited_for_while_showing_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Until a stop, which may not wait for the whole of a long transaction."""
    answered, given = threading.Event(), list[float]()

    class Slow:
        def send_offsets_to_transaction(self, *asked: Any) -> None:
            given.append(asked[-1])
            answered.wait()

    monkeypatch.setattr(transactions, "COMMIT_WAIT", 0.01)
    asked = list[bool]()

    def give_up() -> bool:
        asked.append(True)
        if len(asked) == 3:
            answered.set()
        return False

    slow = cast("Producer", Slow())
    transactions.send_offsets(slow, [], object(), within=120.0, give_up=give_up)
    assert given == [120.0], "librdkafka may take as long as the transaction"
    answered.clear()
    with pytest.raises(KafkaSessionError, match="did not come back"):
        transactions.send_offsets(slow, [], object(), within=120.0, give_up=lambda: True)
    answered.set()


def test_an_error_of_offsets_reaches_the_stage_that_sent_them() -> None:
    failure = KafkaException(KafkaError(KafkaError._FENCED))

    class Fenced:
        def send_offsets_to_transaction(self, *_: object) -> None:
            raise failure

    with pytest.raises(KafkaException) as raised:
        transactions.send_offsets(cast("Producer", Fenced()), [], object(), 1.0, lambda: False)
    assert raised.value is failure


class FullOnce:
    """A producer whose queue is full once, in the middle."""

    def __init__(self) -> None:
        self.records: list[tuple[object, ...]] = []
        self.polled = 0

    def produce(self, *record: object, **_: object) -> None:
        if len(self.records) == 1 and not self.polled:
            raise BufferError
        self.records.append(record)

    def poll(self, _seconds: float) -> None:
        self.polled += 1


def test_records_wait_for_a_full_queue_in_their_order() -> None:
    client = FullOnce()
    records = [("t", b"1", "k", 0, None), ("t", b"2", "k", 0, None), ("u", b"3", "l", 0, None)]
    transactions.produce_all(cast("Producer", client), records)
    assert [record[:4] for record in client.records] == [record[:4] for record in records]
    assert client.polled == 1
