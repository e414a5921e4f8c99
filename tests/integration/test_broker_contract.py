"""What the simulation's broker promises, a real Kafka keeps: every case runs against both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_INVALID,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from consumer.errors import KafkaSessionError
from tests.support.contract import Bench, FakeBench, RealBench
from tests.support.kafka import KafkaBroker

Case = Callable[[Bench], None]
PATIENCE = 100
"""Polls of up to 0.2 s each before a case gives up."""


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.kafka)])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """The fake broker, then a real one."""
    if request.param == "real":
        broker: KafkaBroker = request.getfixturevalue("kafka")
        yield RealBench(broker.bootstrap)
        return
    fake = FakeBench()
    yield fake
    fake.close()


def contract(case: Case) -> Case:
    """Run a case where its broker wants it."""

    @wraps(case)
    def test(bench: Bench) -> None:
        bench.run(lambda: case(bench))

    return test


# -- what the cases have in common ------------------------------------------------------------


def reader(bench: Bench, topic: str, offset: int = OFFSET_BEGINNING) -> Consumer:
    """Reads partition 0 without a group's help."""
    consumer = bench.consumer()
    consumer.assign([TopicPartition(topic, 0, offset)])
    return consumer


def to_end(consumer: Consumer) -> tuple[list[Message], int]:
    """All records up to the next end of log, and where that is."""
    found: list[Message] = []
    for _ in range(PATIENCE):
        for message in consumer.consume(1, 0.2):
            error = message.error()
            if error is None:
                found.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                return found, offset_of(message)
            else:
                raise KafkaException(error)
    raise AssertionError("the log has no end")


def offset_of(message: Message) -> int:
    """Of a record or an end of log."""
    offset = message.offset()
    assert offset is not None
    return offset


def values(messages: list[Message]) -> list[bytes | None]:
    """What the records say."""
    return [message.value() for message in messages]


def turn_until(consumers: list[Consumer], done: Callable[[], bool]) -> list[Message]:
    """Poll all of them in turn until something is so; the records that came."""
    found: list[Message] = []
    for _ in range(PATIENCE):
        for consumer in consumers:
            found += [each for each in consumer.consume(100, 0.1) if each.error() is None]
        if done():
            return found
    raise AssertionError("what was waited for did not come")


def write(producer: Producer, topic: str, *texts: bytes) -> None:
    """Records of a transaction, in the log but not committed."""
    producer.begin_transaction()
    for text in texts:
        producer.produce(topic, text, partition=0)
    assert producer.flush(10) == 0


def error_of(call: Callable[[], object]) -> KafkaError:
    """What a call that must fail says."""
    with pytest.raises(KafkaException) as caught:
        call()
    error = caught.value.args[0]
    assert isinstance(error, KafkaError)
    return error


# -- logs and transactions --------------------------------------------------------------------


@contract
def test_an_open_transaction_hides_what_comes_after_it(bench: Bench) -> None:
    """A committed reader's end stands before it; only the cached watermark shows the log's own."""
    topic = bench.topic()
    producer = bench.producer(bench.name("writer"))
    write(producer, topic, b"a")
    bench.append(topic, b"b")
    consumer = reader(bench, topic)

    assert to_end(consumer) == ([], 0)
    place = TopicPartition(topic, 0)
    assert consumer.get_watermark_offsets(place, timeout=10) == (0, 0)
    assert consumer.get_watermark_offsets(place, cached=True) == (0, 2)
    assert bench.clients.log_end(consumer, topic) == 2

    producer.commit_transaction(10)
    found, end = to_end(consumer)
    assert (values(found), end) == ([b"a", b"b"], 3)
    assert consumer.get_watermark_offsets(place, timeout=10) == (0, 3)
    consumer.close()


@contract
def test_aborted_records_are_skipped_and_markers_take_offsets(bench: Bench) -> None:
    topic = bench.topic()
    producer = bench.producer(bench.name("writer"))
    write(producer, topic, b"aborted", b"too")
    producer.abort_transaction(10)
    for text in (b"a", b"b"):
        write(producer, topic, text)
        producer.commit_transaction(10)
    consumer = reader(bench, topic)

    found, end = to_end(consumer)

    assert [(each.offset(), each.value()) for each in found] == [(3, b"a"), (5, b"b")]
    assert end == 7
    consumer.close()


@contract
def test_an_aborted_end_of_a_log_is_read_over(bench: Bench) -> None:
    """The end of the log is reported again behind aborted records."""
    topic = bench.topic()
    consumer = reader(bench, topic)
    assert to_end(consumer) == ([], 0)
    producer = bench.producer(bench.name("writer"))
    write(producer, topic, b"aborted")
    producer.abort_transaction(10)

    assert to_end(consumer) == ([], 2)
    consumer.close()


@contract
def test_an_end_of_log_is_told_once(bench: Bench) -> None:
    topic = bench.topic()
    bench.append(topic, b"a")
    consumer = reader(bench, topic)
    found, end = to_end(consumer)
    assert (values(found), end) == ([b"a"], 1)

    assert consumer.consume(1, 0.5) == []
    consumer.close()


@contract
def test_delivery_tells_the_offset(bench: Bench) -> None:
    """At the flush, before the transaction is committed."""
    topic = bench.topic()
    bench.append(topic, b"before")
    producer = bench.producer(bench.name("writer"))
    offsets: list[int | None] = []
    producer.begin_transaction()
    producer.produce(
        topic, b"a", partition=0, on_delivery=lambda _, message: offsets.append(message.offset())
    )
    producer.flush(10)

    assert offsets == [1]
    producer.commit_transaction(10)


@contract
def test_a_transaction_may_be_empty(bench: Bench) -> None:
    topic = bench.topic()
    producer = bench.producer(bench.name("writer"))
    producer.begin_transaction()
    producer.commit_transaction(10)
    write(producer, topic, b"a")
    producer.commit_transaction(10)

    consumer = reader(bench, topic)
    found, end = to_end(consumer)
    assert (values(found), end) == ([b"a"], 2)
    consumer.close()


@contract
def test_what_is_not_flushed_is_committed_too(bench: Bench) -> None:
    topic = bench.topic()
    producer = bench.producer(bench.name("writer"))
    producer.begin_transaction()
    producer.produce(topic, b"a", partition=0)
    producer.commit_transaction(10)

    consumer = reader(bench, topic)
    assert values(to_end(consumer)[0]) == [b"a"]
    consumer.close()


@contract
def test_steps_out_of_order_are_refused(bench: Bench) -> None:
    """Neither fatal nor retriable."""
    topic = bench.topic()
    producer = bench.producer(bench.name("writer"))
    for step in (
        lambda: producer.commit_transaction(10),
        lambda: producer.produce(topic, b"a"),
        lambda: producer.init_transactions(10),
    ):
        error = error_of(step)
        assert error.code() == KafkaError._STATE
        assert not error.fatal()
        assert not error.retriable()
    producer.begin_transaction()
    assert error_of(producer.begin_transaction).code() == KafkaError._STATE


# -- fencing ----------------------------------------------------------------------------------


@contract
def test_a_successor_aborts_the_open_transaction_and_fences_its_producer(bench: Bench) -> None:
    topic, transactional_id = bench.topic(), bench.name("writer")
    former = bench.producer(transactional_id)
    write(former, topic, b"former")

    successor = bench.producer(transactional_id)
    write(successor, topic, b"successor")
    successor.commit_transaction(10)

    error = error_of(lambda: former.commit_transaction(10))
    assert error.fatal()
    assert error.code() == KafkaError._FENCED
    assert not error.retriable()
    consumer = reader(bench, topic)
    assert values(to_end(consumer)[0]) == [b"successor"]
    consumer.close()


@contract
def test_a_fenced_producer_learns_of_it_at_its_commit(bench: Bench) -> None:
    """Beginning, producing and flushing may still seem to work."""
    topic, transactional_id = bench.topic(), bench.name("writer")
    former = bench.producer(transactional_id)
    successor = bench.producer(transactional_id)
    former.begin_transaction()
    former.produce(topic, b"former", partition=0)

    error = error_of(lambda: former.commit_transaction(10))
    assert error.fatal()
    assert error.code() == KafkaError._FENCED
    error_of(former.begin_transaction)
    write(successor, topic, b"successor")
    successor.commit_transaction(10)
    consumer = reader(bench, topic)
    assert values(to_end(consumer)[0]) == [b"successor"]
    consumer.close()


@contract
def test_a_flush_tells_that_the_producer_is_fenced(bench: Bench) -> None:
    """Then nothing is of use any more, not even an abort."""
    topic, transactional_id = bench.topic(), bench.name("writer")
    former = bench.producer(transactional_id)
    bench.producer(transactional_id)
    former.begin_transaction()
    former.produce(topic, b"former", partition=0)

    for step in (
        lambda: former.flush(10),
        lambda: former.commit_transaction(10),
        lambda: former.abort_transaction(10),
        former.begin_transaction,
    ):
        error = error_of(step)
        assert error.fatal()
        assert error.code() == KafkaError._FENCED
    assert error_of(lambda: former.produce(topic, b"x")).code() == KafkaError._FATAL


@contract
def test_a_flush_with_a_delivery_callback_tells_it_by_another_error(bench: Bench) -> None:
    """confluent-kafka runs the callback with the exception already set, and Python objects."""
    topic, transactional_id = bench.topic(), bench.name("writer")
    former = bench.producer(transactional_id)
    bench.producer(transactional_id)
    former.begin_transaction()
    offsets: list[int | None] = []
    former.produce(
        topic, b"a", partition=0, on_delivery=lambda _, message: offsets.append(message.offset())
    )

    with pytest.raises(SystemError) as caught:
        former.flush(10)
    assert isinstance(caught.value.__cause__, KafkaException)
    assert caught.value.__cause__.args[0].fatal()


@contract
def test_a_fenced_producer_cannot_send_offsets(bench: Bench) -> None:
    topic, transactional_id = bench.topic(), bench.name("writer")
    former = bench.producer(transactional_id)
    bench.producer(transactional_id)
    consumer = bench.consumer()
    former.begin_transaction()

    error = error_of(
        lambda: former.send_offsets_to_transaction(
            [TopicPartition(topic, 0, 5)], consumer.consumer_group_metadata(), 10
        )
    )
    assert error.fatal()
    assert consumer.committed([TopicPartition(topic, 0)], timeout=10)[0].offset == OFFSET_INVALID
    consumer.close()


@contract
def test_an_init_that_ends_an_open_transaction_has_ended_it(bench: Bench) -> None:
    """When it returns, nothing of the former owner is hidden or hides anything any more."""
    topic, transactional_id = bench.topic(), bench.name("writer")
    write(bench.producer(transactional_id), topic, b"former")
    bench.append(topic, b"a")
    bench.producer(transactional_id)

    consumer = reader(bench, topic)
    found, end = to_end(consumer)
    assert (values(found), end) == ([b"a"], 3)
    consumer.close()


# -- offsets of groups ------------------------------------------------------------------------


@contract
def test_offsets_of_a_transaction_hold_with_its_commit(bench: Bench) -> None:
    """While it is open, no offset is returned: the question times out."""
    topic = bench.topic()
    consumer = bench.consumer()
    producer = bench.producer(bench.name("writer"))
    place = TopicPartition(topic, 0)
    assert consumer.committed([place], timeout=10)[0].offset == OFFSET_INVALID
    producer.begin_transaction()
    producer.send_offsets_to_transaction(
        [TopicPartition(topic, 0, 7)], consumer.consumer_group_metadata(), 10
    )

    error = error_of(lambda: consumer.committed([place], timeout=1))
    assert error.code() == KafkaError._TIMED_OUT

    producer.commit_transaction(10)
    assert consumer.committed([place], timeout=10)[0].offset == 7
    consumer.close()


@contract
def test_offsets_of_an_aborted_transaction_never_were(bench: Bench) -> None:
    topic = bench.topic()
    consumer = bench.consumer()
    producer = bench.producer(bench.name("writer"))
    producer.begin_transaction()
    producer.send_offsets_to_transaction(
        [TopicPartition(topic, 0, 7)], consumer.consumer_group_metadata(), 10
    )
    producer.abort_transaction(10)

    (found,) = consumer.committed([TopicPartition(topic, 0)], timeout=10)
    assert found.offset == OFFSET_INVALID
    consumer.close()


@contract
def test_transactional_offsets_without_a_member_id_are_taken(bench: Bench) -> None:
    """Even while the group has members: it does not protect them."""
    topic, group = bench.topic(), bench.name("group")
    member = joined(bench, group, topic)
    stranger = bench.consumer(group)
    producer = bench.producer(bench.name("writer"))
    producer.begin_transaction()
    producer.send_offsets_to_transaction(
        [TopicPartition(topic, 0, 7)], stranger.consumer_group_metadata(), 10
    )
    producer.commit_transaction(10)

    assert member.committed([TopicPartition(topic, 0)], timeout=10)[0].offset == 7
    stranger.close()
    member.close()


@contract
def test_a_transactions_offsets_of_a_member_that_was_dropped_are_refused(bench: Bench) -> None:
    """The transaction must be aborted; the producer lives."""
    topic, group = bench.topic(), bench.name("group")
    member = joined(bench, group, topic)
    metadata = member.consumer_group_metadata()
    member.close()
    producer = bench.producer(bench.name("writer"))
    write(producer, topic, b"hidden")

    error = error_of(
        lambda: producer.send_offsets_to_transaction([TopicPartition(topic, 0, 7)], metadata, 10)
    )
    assert error.txn_requires_abort()
    assert not error.fatal()
    assert not error.retriable()
    assert error_of(lambda: producer.commit_transaction(10)).txn_requires_abort()
    producer.abort_transaction(10)
    write(producer, topic, b"visible")
    producer.commit_transaction(10)
    consumer = reader(bench, topic)
    assert values(to_end(consumer)[0]) == [b"visible"]
    consumer.close()


@contract
def test_a_transactions_offsets_of_an_older_generation_are_refused(bench: Bench) -> None:
    topic, group = bench.topic(2), bench.name("group")
    first = joined(bench, group, topic)
    metadata = first.consumer_group_metadata()
    second = bench.consumer(group)
    second.subscribe([topic], on_assign=from_start)
    turn_until([first, second], lambda: len(second.assignment()) == 1)
    producer = bench.producer(bench.name("writer"))
    producer.begin_transaction()

    error = error_of(
        lambda: producer.send_offsets_to_transaction([TopicPartition(topic, 0, 7)], metadata, 10)
    )
    assert error.txn_requires_abort()
    first.close()
    second.close()


@contract
def test_offsets_may_be_committed_outside_a_group_without_members_only(bench: Bench) -> None:
    topic, group = bench.topic(), bench.name("group")
    place = TopicPartition(topic, 0, 3)
    stranger = bench.consumer(group)
    (done,) = stranger.commit(offsets=[place], asynchronous=False) or []
    assert done.error is None
    assert stranger.committed([place], timeout=10)[0].offset == 3

    member = joined(bench, group, topic)
    error = error_of(lambda: stranger.commit(offsets=[place], asynchronous=False))
    assert error.code() == KafkaError.UNKNOWN_MEMBER_ID
    stranger.close()
    member.close()


# -- groups -----------------------------------------------------------------------------------


def from_start(consumer: Consumer, partitions: list[TopicPartition]) -> None:
    """An assignment callback: read everything."""
    for partition in partitions:
        partition.offset = OFFSET_BEGINNING
    consumer.incremental_assign(partitions)


def joined(bench: Bench, group: str, topic: str) -> Consumer:
    """A member that has its share."""
    consumer = bench.consumer(group)
    consumer.subscribe([topic], on_assign=from_start)
    turn_until([consumer], lambda: bool(consumer.assignment()))
    return consumer


@contract
def test_a_member_has_an_id_from_its_joining_on(bench: Bench) -> None:
    consumer = bench.consumer()
    assert not consumer.memberid()
    consumer.subscribe([bench.topic()], on_assign=from_start)
    turn_until([consumer], lambda: bool(consumer.assignment()))
    assert consumer.memberid()
    consumer.close()


@contract
def test_partitions_move_one_by_one_and_no_other_member_stops(bench: Bench) -> None:
    """A second member gets half; the first one is asked for what goes, and for nothing else."""
    topic, group = bench.topic(4), bench.name("group")
    gone: list[int] = []

    def revoked(consumer: Consumer, partitions: list[TopicPartition]) -> None:
        gone.extend(partition.partition for partition in partitions)
        consumer.incremental_unassign(partitions)

    first = bench.consumer(group)
    first.subscribe([topic], on_assign=from_start, on_revoke=revoked)
    turn_until([first], lambda: len(first.assignment()) == 4)
    second = bench.consumer(group)
    second.subscribe([topic], on_assign=from_start)
    turn_until([first, second], lambda: len(second.assignment()) == 2)

    assert sorted(gone) == sorted(each.partition for each in second.assignment())
    assert len(first.assignment()) == 2
    first.close()
    turn_until([second], lambda: len(second.assignment()) == 4)
    second.close()


@contract
def test_a_single_partition_stays_until_its_member_closes(bench: Bench) -> None:
    """The close asks the member for it first; the other one is given it."""
    topic, group = bench.topic(), bench.name("group")
    gone: list[int] = []
    first = bench.consumer(group)
    first.subscribe(
        [topic],
        on_assign=from_start,
        on_revoke=lambda _, partitions: gone.extend(each.partition for each in partitions),
    )
    turn_until([first], lambda: bool(first.assignment()))
    assigned: list[int] = []
    second = bench.consumer(group)
    second.subscribe([topic], on_assign=lambda _, partitions: assigned.append(len(partitions)))
    turn_until([first, second], lambda: bool(second.memberid()) and assigned == [0])
    assert gone == []

    first.close()
    assert gone == [0]
    turn_until([second], lambda: 1 in assigned)
    second.close()


@contract
def test_a_callback_that_assigns_nothing_leaves_it_to_the_client(bench: Bench) -> None:
    """It then begins at the group's offset."""
    topic = bench.topic()
    bench.append(topic, b"a", b"b")
    consumer = bench.consumer()
    consumer.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=False)
    consumer.subscribe([topic], on_assign=lambda _consumer, _partitions: None)
    found = turn_until([consumer], lambda: bool(consumer.assignment()))
    if not values(found):  # else the end of the log may have come with it, and comes once
        found += to_end(consumer)[0]

    assert values(found) == [b"b"]
    consumer.close()


@contract
def test_what_a_callback_raises_comes_out_of_the_poll(bench: Bench) -> None:
    def assigned(_consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        raise KafkaSessionError("no")

    consumer = bench.consumer()
    consumer.subscribe([bench.topic()], on_assign=assigned)
    with pytest.raises(KafkaSessionError):
        turn_until([consumer], lambda: False)
    consumer.close()


# -- reading ----------------------------------------------------------------------------------


@contract
def test_a_paused_partition_is_not_read_and_goes_on_where_it_was(bench: Bench) -> None:
    topic = bench.topic()
    bench.append(topic, b"a")
    consumer = reader(bench, topic)
    assert values(to_end(consumer)[0]) == [b"a"]
    place = TopicPartition(topic, 0)
    consumer.pause([place])
    bench.append(topic, b"b")
    assert consumer.consume(10, 0.5) == []

    consumer.resume([place])
    assert values(to_end(consumer)[0]) == [b"b"]
    consumer.close()


@contract
def test_a_pause_outlives_its_assignment(bench: Bench) -> None:
    """A partition that is lost while it is paused and comes back is not read before `resume`."""
    topic = bench.topic()
    bench.append(topic, b"a")
    place = TopicPartition(topic, 0, OFFSET_BEGINNING)
    consumer = bench.consumer()
    consumer.incremental_assign([place])
    assert values(to_end(consumer)[0]) == [b"a"]
    consumer.pause([place])
    consumer.incremental_unassign([place])
    consumer.consume(1, 0.5)
    consumer.incremental_assign([place])
    assert consumer.consume(10, 1.0) == []

    consumer.resume([place])
    assert values(to_end(consumer)[0]) == [b"a"]
    consumer.close()


@contract
def test_a_seek_reads_again_and_tells_the_end_again(bench: Bench) -> None:
    topic = bench.topic()
    bench.append(topic, b"a", b"b", b"c")
    consumer = reader(bench, topic)
    assert values(to_end(consumer)[0]) == [b"a", b"b", b"c"]
    consumer.seek(TopicPartition(topic, 0, 1))

    found, end = to_end(consumer)
    assert (values(found), end) == ([b"b", b"c"], 3)
    consumer.close()


@contract
def test_a_paused_partition_may_be_sought(bench: Bench) -> None:
    topic = bench.topic()
    bench.append(topic, b"a", b"b", b"c")
    consumer = reader(bench, topic)
    assert values(to_end(consumer)[0]) == [b"a", b"b", b"c"]
    place = TopicPartition(topic, 0, 2)
    consumer.pause([place])
    consumer.seek(place)
    assert consumer.consume(10, 0.5) == []

    consumer.resume([place])
    assert values(to_end(consumer)[0]) == [b"c"]
    consumer.close()


@contract
def test_a_position_is_behind_what_was_read(bench: Bench) -> None:
    """Not known before anything was, and again after a seek."""
    topic = bench.topic()
    bench.append(topic, b"a", b"b")
    consumer = reader(bench, topic)
    place = TopicPartition(topic, 0)
    assert consumer.position([place])[0].offset == OFFSET_INVALID
    to_end(consumer)
    assert consumer.position([place])[0].offset == 2
    consumer.seek(TopicPartition(topic, 0, 1))
    assert consumer.position([place])[0].offset == OFFSET_INVALID
    consumer.close()


@contract
def test_partitions_come_and_go_one_by_one(bench: Bench) -> None:
    topic = bench.topic(2)
    consumer = bench.consumer()
    first, second = (TopicPartition(topic, part, OFFSET_BEGINNING) for part in range(2))
    consumer.incremental_assign([first])
    consumer.incremental_assign([second])
    assert len(consumer.assignment()) == 2
    consumer.incremental_unassign([first])
    bench.append(topic, b"not read")
    bench.append(topic, b"read", partition=1)

    found = turn_until([consumer], lambda: consumer.position([second])[0].offset == 1)
    assert values(found) == [b"read"]
    consumer.close()


@contract
def test_what_is_assigned_already_or_not_at_all_is_refused(bench: Bench) -> None:
    topic = bench.topic()
    place = TopicPartition(topic, 0, OFFSET_BEGINNING)
    consumer = bench.consumer()
    consumer.incremental_assign([place])
    assert error_of(lambda: consumer.incremental_assign([place])).code() == KafkaError._CONFLICT
    consumer.incremental_unassign([place])
    error = error_of(lambda: consumer.incremental_unassign([place]))
    assert error.code() == KafkaError._INVALID_ARG
    assert error_of(lambda: consumer.seek(place)).code() == KafkaError._STATE
    consumer.pause([place])  # of these two nothing is heard
    consumer.resume([place])
    consumer.close()


@contract
def test_records_that_were_deleted_cannot_be_read(bench: Bench) -> None:
    """An error instead of an arbitrary start offset."""
    topic = bench.topic()
    bench.append(topic, b"a", b"b", b"c")
    bench.delete_records(topic, 2)
    consumer = reader(bench, topic, 1)

    with pytest.raises(KafkaException) as caught:
        to_end(consumer)
    assert caught.value.args[0].code() == KafkaError._AUTO_OFFSET_RESET
    place = TopicPartition(topic, 0)
    assert consumer.get_watermark_offsets(place, timeout=10) == (2, 3)
    consumer.close()


@contract
def test_offsets_are_found_by_time(bench: Bench) -> None:
    topic = bench.topic()
    first = 1_700_000_000_000
    for hour in range(3):
        bench.append(topic, b"x", at_ms=first + hour * 3_600_000)
    consumer = bench.consumer()

    def at(milliseconds: int) -> int:
        asked = TopicPartition(topic, 0, milliseconds)
        return int(consumer.offsets_for_times([asked], timeout=10)[0].offset)

    assert [at(first), at(first + 1), at(first + 9 * 3_600_000)] == [0, 1, -1]
    consumer.close()


@contract
def test_a_topics_partitions_are_listed(bench: Bench) -> None:
    topic = bench.topic(3)
    consumer = bench.consumer()
    assert set(consumer.list_topics(topic, timeout=10).topics[topic].partitions) == {0, 1, 2}
    consumer.close()


@contract
def test_a_topic_that_was_recreated_has_another_id(bench: Bench) -> None:
    topic = bench.topic()
    before = bench.clients.topic_id(topic)
    assert before
    bench.delete(topic)
    bench.create(topic)
    after = bench.clients.topic_id(topic)
    assert after
    assert after != before


@contract
def test_a_topic_that_is_not_there_has_no_id(bench: Bench) -> None:
    with pytest.raises(KafkaSessionError, match="does not exist"):
        bench.clients.topic_id(bench.name("nowhere"))


@contract
def test_a_closed_consumer_is_of_no_more_use(bench: Bench) -> None:
    consumer = bench.consumer()
    bench.clients.close(consumer)
    with pytest.raises(RuntimeError):
        consumer.consume(1, 0.1)
