"""The simulation's broker under faults: what no quick test on a real Kafka can show."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from tests.simulation.kafka.broker import FakeBroker
from tests.simulation.kafka.clients import FakeClients
from tests.simulation.kafka.scheduler import START, Scheduler, Task
from tests.simulation.kafka.settings import BrokerSettings

PLACE = TopicPartition("topic", 0)
Events = list[tuple[float, str, str]]


class Stand:
    """A broker with one topic, and processes with one task each."""

    def __init__(self, seed: int = 1, settings: BrokerSettings | None = None) -> None:
        rng = random.Random(seed)
        self.scheduler = Scheduler(rng)
        self.broker = FakeBroker(self.scheduler, rng, settings or BrokerSettings())
        self.broker.create_topic("topic")

    def task(self, process: str, run: Callable[[FakeClients], None]) -> Task:
        """Run it in a process of its own."""
        clients = self.broker.clients(process)
        return self.scheduler.spawn(process, process, lambda: run(clients))

    def run(self, seconds: float = 600.0) -> None:
        """Let time pass."""
        self.scheduler.run(self.scheduler.now + seconds)

    def values(self, topic: str = "topic") -> list[bytes | None]:
        """What a committed reader sees."""
        return [each.value for each in self.broker.read(topic)]


@pytest.fixture
def stand() -> Stand:
    """With default settings."""
    return Stand()


def nothing(_error: object) -> None:
    """An error callback."""


def code_of(call: Callable[[], object]) -> int:
    """How a call fails."""
    with pytest.raises(KafkaException) as caught:
        call()
    return int(caught.value.args[0].code())


def commit_one(clients: FakeClients, value: bytes = b"a", key: str = "key") -> None:
    """One record in a transaction."""
    producer = clients.producer("writer", nothing)
    producer.init_transactions(5)
    producer.begin_transaction()
    producer.produce("topic", value, key, 0)
    producer.commit_transaction(5)


def test_compaction_keeps_the_newest_of_each_key_and_the_offsets(stand: Stand) -> None:
    """What stands above an open transaction stays as it is."""
    for number in range(4):
        stand.broker.append("topic", 0, str(number).encode(), b"ab"[number % 2 :][:1])

    def opens(clients: FakeClients) -> None:
        producer = clients.producer("writer", nothing)
        producer.init_transactions(5)
        producer.begin_transaction()
        producer.produce("topic", b"open", "a", 0)
        producer.flush(5)

    stand.task("a", opens)
    stand.run(1)
    stand.broker.compact("topic")

    assert [(each.offset, each.value) for each in stand.broker.read("topic")] == [
        (2, b"2"),
        (3, b"3"),
    ]
    assert stand.broker.read("topic", committed=False)[-1].value == b"open"
    assert len(stand.broker.history("topic")) == 5


def test_a_log_is_trimmed_below_an_offset(stand: Stand) -> None:
    """And a reader that stands below it is told so."""
    for value in (b"a", b"b", b"c"):
        stand.broker.append("topic", 0, value)
    codes: list[int] = []

    def trims(clients: FakeClients) -> None:
        clients.trim("topic", 2, lambda _why: None)
        stand.scheduler.sleep(1)
        reader = clients.consumer("group", nothing)
        reader.assign([TopicPartition("topic", 0, 1)])
        (message,) = reader.consume(10, 1.0)
        error = message.error()
        assert error is not None
        codes.append(error.code())

    stand.task("a", trims)
    stand.run()
    assert stand.values() == [b"c"]
    assert codes == [KafkaError._AUTO_OFFSET_RESET]


def test_a_killed_producers_transaction_hides_the_rest_until_it_is_too_old(stand: Stand) -> None:
    def writes(clients: FakeClients) -> None:
        producer = clients.producer("writer", nothing)
        producer.init_transactions(5)
        producer.begin_transaction()
        producer.produce("topic", b"lost", "a", 0)
        producer.flush(5)
        stand.scheduler.kill("a")
        producer.commit_transaction(5)

    stand.task("a", writes)
    stand.run(1)
    stand.broker.append("topic", 0, b"hidden")
    assert stand.values() == []
    stand.run(8)
    assert stand.values() == []
    stand.run(3)
    assert stand.values() == [b"hidden"]


def test_a_producer_whose_transaction_was_too_old_is_fenced(stand: Stand) -> None:
    codes: list[int] = []

    def writes(clients: FakeClients) -> None:
        producer = clients.producer("writer", nothing)
        producer.init_transactions(5)
        producer.begin_transaction()
        producer.produce("topic", b"late", "a", 0)
        producer.flush(5)
        stand.scheduler.sleep(11)
        codes.append(code_of(lambda: producer.commit_transaction(5)))

    stand.task("a", writes)
    stand.run()
    assert codes == [KafkaError._FENCED]
    assert stand.values() == []


def test_what_a_killed_process_had_queued_may_have_reached_the_log() -> None:
    """Some of it, in order, and never as committed."""
    seen = set()
    for seed in range(30):
        stand = Stand(seed)

        def writes(clients: FakeClients, stand: Stand = stand) -> None:
            producer = clients.producer("writer", nothing)
            producer.init_transactions(5)
            producer.begin_transaction()
            for value in (b"a", b"b"):
                producer.produce("topic", value, "a", 0)
            stand.scheduler.kill("a")
            producer.commit_transaction(5)

        stand.task("a", writes)
        stand.run()
        seen.add(tuple(each.value for each in stand.broker.history("topic")))
        assert stand.values() == []
    assert seen == {(), (b"a",), (b"a", b"b")}


def lost_commits(late_effect: float) -> tuple[list[int], list[bytes | None], list[bytes | None]]:
    """The code of a commit that times out, what is visible then, and after another attempt."""
    stand = Stand(1, BrokerSettings(commit_lost=1.0, late_effect=late_effect))
    codes: list[int] = []
    visible: list[bytes | None] = []

    def writes(clients: FakeClients) -> None:
        producer = clients.producer("writer", nothing)
        producer.init_transactions(5)
        producer.begin_transaction()
        producer.produce("topic", b"a", "a", 0)
        codes.append(code_of(lambda: producer.commit_transaction(1)))
        stand.scheduler.sleep(0.1)  # for a marker that is late
        visible.extend(stand.values())
        stand.broker.settings = replace(stand.broker.settings, commit_lost=0.0)
        producer.commit_transaction(1)

    stand.task("a", writes)
    stand.run(30)
    return codes, visible, stand.values()


def test_a_commit_that_times_out_may_have_taken_effect_or_not() -> None:
    """The next attempt makes it definite either way."""
    assert lost_commits(1.0) == ([KafkaError._TIMED_OUT], [b"a"], [b"a"])
    assert lost_commits(0.0) == ([KafkaError._TIMED_OUT], [], [b"a"])


def test_without_a_broker_requests_time_out_and_nothing_is_lost(stand: Stand) -> None:
    stand.broker.append("topic", 0, b"before")
    stand.broker.down(START + 20)
    codes: list[int] = []
    ended: list[float] = []

    def writes(clients: FakeClients) -> None:
        producer = clients.producer("writer", nothing)
        codes.append(code_of(lambda: producer.init_transactions(5)))
        producer.init_transactions(60)
        ended.append(stand.scheduler.now - START)

    stand.task("a", writes)
    stand.run()
    assert codes == [KafkaError._TIMED_OUT]
    assert ended[0] == pytest.approx(20, abs=0.2)
    assert stand.values() == [b"before"]


# -- groups -----------------------------------------------------------------------------------


def member(stand: Stand, events: Events, process: str) -> Callable[[FakeClients], None]:
    """A member that writes down what the group tells it, and what it reads."""

    def told(kind: str) -> Callable[[Consumer, list[TopicPartition]], None]:
        def callback(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            if partitions:
                events.append((stand.scheduler.now - START, process, kind))
            if kind == "assign":
                for partition in partitions:
                    partition.offset = OFFSET_BEGINNING
                consumer.incremental_assign(partitions)
            else:
                consumer.incremental_unassign(partitions)

        return callback

    def run(clients: FakeClients) -> None:
        consumer = clients.consumer("group", nothing)
        consumer.subscribe(
            ["topic"],
            on_assign=told("assign"),
            on_revoke=told("revoke"),
            on_lost=told("lost"),
        )
        while True:
            consumer.consume(100, 5.0)

    return run


def owner(events: Events) -> str:
    """Return the member that was given the partition last."""
    return [process for _, process, kind in events if kind == "assign"][-1]


def two_members(stand: Stand) -> tuple[Events, str, str]:
    """After a while: what they were told, the partition's owner, and the other member."""
    events: Events = []
    for process in ("a", "b"):
        stand.task(process, member(stand, events, process))
    stand.run(60)
    mine = owner(events)
    return events, mine, {"a": "b", "b": "a"}[mine]


def test_a_dead_members_partition_moves_when_its_session_is_over(stand: Stand) -> None:
    events, mine, other = two_members(stand)
    died = stand.scheduler.now - START
    stand.scheduler.kill(mine)
    stand.run(30)

    at, process, kind = events[-1]
    assert (process, kind) == (other, "assign")
    assert 7 <= at - died <= 14


def test_a_member_frozen_too_long_hears_of_its_loss_when_it_thaws(stand: Stand) -> None:
    """The other one owns the partition long before."""
    events, mine, other = two_members(stand)
    before = len(events)
    thaw = stand.scheduler.now - START + 40
    stand.scheduler.freeze(mine, START + thaw)
    stand.run(60)

    told = [(process, kind) for _, process, kind in events[before:]]
    assert told == [(other, "assign"), (mine, "lost")]
    assert events[-1][0] == pytest.approx(thaw + 1.5, abs=1.5)


def test_a_member_frozen_for_a_moment_stays(stand: Stand) -> None:
    events, mine, _ = two_members(stand)
    before = len(events)
    stand.scheduler.freeze(mine, stand.scheduler.now + 5)
    stand.run(60)
    assert events[before:] == []


def remembers(stand: Stand) -> set[str]:
    """The topics of which the group has an offset."""
    return {topic for topic, _ in stand.broker.group("group").offsets}


def test_a_group_without_members_forgets_all_offsets_or_none(stand: Stand) -> None:
    """Kafka counts the retention of all of them from the time at which the group became empty."""
    group = stand.broker.group("group")
    group.offsets.update({("topic", 0): 1, ("former", 0): 1})
    assert not group.forget(["former"])
    assert remembers(stand) == {"topic", "former"}
    assert group.forget()
    assert remembers(stand) == set()


def test_a_group_forgets_a_topic_that_no_member_reads_once_it_is_stable(stand: Stand) -> None:
    """A member that is frozen keeps the rebalance open, by which the others learn that it left."""
    _, mine, _ = two_members(stand)
    group = stand.broker.group("group")
    group.offsets.update({("topic", 0): 1, ("former", 0): 1})
    stand.scheduler.freeze(mine, stand.scheduler.now + 5)
    assert not group.forget(["former"])
    stand.run(60)
    assert not group.forget()
    assert not group.forget(["topic"])
    assert group.forget(["former"])
    assert remembers(stand) == {"topic"}


def test_a_forced_rebalance_moves_the_partition(stand: Stand) -> None:
    """Its owner is asked for it before the other one gets it."""
    events, mine, other = two_members(stand)
    before = len(events)
    stand.broker.rebalance("group")
    stand.run(60)
    told = [(process, kind) for _, process, kind in events[before:]]
    assert told == [(mine, "revoke"), (other, "assign")]


def test_a_rebalance_waits_for_a_frozen_member(stand: Stand) -> None:
    """As long as it may come back."""
    _, mine, _ = two_members(stand)
    group = stand.broker.group("group")
    before = group.generation
    stand.scheduler.freeze(mine, stand.scheduler.now + 6)
    stand.broker.rebalance("group")
    stand.run(5.9)
    assert group.generation == before
    stand.run(5)
    assert group.generation > before


def test_a_rebalance_waits_for_a_callback(stand: Stand) -> None:
    """A takeover or a drain may take its time."""

    def busy(_consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if partitions:
            stand.scheduler.sleep(60)

    def slow(clients: FakeClients) -> None:
        consumer = clients.consumer("group", nothing)
        consumer.subscribe(["topic"], on_assign=busy)
        while True:
            consumer.consume(100, 5.0)

    stand.task("a", slow)
    stand.run(10)
    group = stand.broker.group("group")
    stand.task("b", member(stand, [], "b"))
    stand.run(40)
    assert group.generation == 1
    stand.run(30)
    assert group.generation > 1


def test_a_member_that_does_not_poll_is_dropped(stand: Stand) -> None:
    """It leaves by itself and is told so at its next poll."""
    codes: list[int] = []
    ids: list[bool] = []

    def run(clients: FakeClients) -> None:
        consumer = clients.consumer("group", nothing)
        consumer.subscribe(["topic"])
        consumer.consume(100, 5.0)
        stand.scheduler.sleep(301)
        ids.append(bool(consumer.memberid()))
        (message,) = consumer.consume(100, 1.0)
        error = message.error()
        assert error is not None
        codes.append(error.code())

    stand.task("a", run)
    stand.run(1000)
    assert ids == [False]
    assert codes == [KafkaError._MAX_POLL_EXCEEDED]


def test_an_outage_longer_than_a_session_costs_the_partitions(stand: Stand) -> None:
    """Each client gives them up by itself; afterwards a member is given them again."""
    events, mine, _ = two_members(stand)
    before = len(events)
    stand.broker.down(stand.scheduler.now + 30)
    stand.run(60)
    told = [(process, kind) for _, process, kind in events[before:]]
    assert told[0] == (mine, "lost")
    assert [kind for _, kind in told] == ["lost", "assign"]


def history(seed: int) -> tuple[Events, list[tuple[int, bytes | None, str]]]:
    """Of a short life with a kill, a freeze and a forced rebalance."""
    stand = Stand(seed, BrokerSettings(commit_lost=0.1, abortable=0.1))
    events: Events = []
    for process in ("a", "b", "c"):
        stand.task(process, member(stand, events, process))
    stand.task("d", commit_one)
    stand.scheduler.at(START + 20, lambda: stand.scheduler.kill("a"))
    stand.scheduler.at(START + 25, lambda: stand.scheduler.freeze("b", START + 50))
    stand.scheduler.at(START + 60, lambda: stand.broker.rebalance("group"))
    stand.run(120)
    stand.scheduler.close()
    records = stand.broker.history("topic")
    return events, [(record.offset, record.value, record.state) for record in records]


def test_the_same_seed_gives_the_same_history() -> None:
    histories = [history(seed) for seed in range(5)]
    assert histories == [history(seed) for seed in range(5)]
    assert any(each != histories[0] for each in histories)
