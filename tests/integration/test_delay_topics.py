"""The delay topics on a real Kafka, with steps of seconds instead of minutes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import orjson
import pytest
import structlog
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from structlog.testing import capture_logs

from consumer.clock import Clock
from consumer.config.topic_names import Topics
from consumer.kafka.clients import KafkaClients
from consumer.kafka.records.delayed import Delayed
from consumer.kafka.records.operator_commands import ResumeInput
from consumer.lane.state.delay_steps import STEPS, step_for
from consumer.observability.health import Health
from consumer.observability.metrics.metrics import Metrics
from consumer.runtime.delay.delay_loop import DelayStage
from consumer.runtime.delay.step_counts import StepCounts
from consumer.runtime.stage import ConfigInUse, StageRun, StageServices
from consumer.runtime.watchers.delay_watch import DelayWatch
from tests.support.dispatcher import until
from tests.support.kafka import KafkaBroker, create_topics, read_topic, unique

pytestmark = pytest.mark.kafka
SECONDS = {"1m": 1.0, "10m": 3.0}


class DelayTopics:
    """A delay stage in a thread, with topics of its own."""

    def __init__(self, broker: KafkaBroker) -> None:
        self.bootstrap = broker.bootstrap
        self.topics = Topics(unique("surveys"))
        self.clock = Clock()
        create_topics(
            self.bootstrap,
            *(self.topics.delayed(step) for step in STEPS),
            config={"message.timestamp.type": "LogAppendTime"},
        )
        create_topics(
            self.bootstrap,
            *(self.topics.invitations("cloud"), self.topics.dead_letters),
            config={"retention.ms": "-1"},  # what comes back has waited since years ago
        )
        self._client = Producer({"bootstrap.servers": self.bootstrap})
        self._running: tuple[StageServices, threading.Thread] | None = None
        self.metrics = Metrics()
        self.homes: dict[str, str] = {}

    def start(self) -> StageServices:
        health = Health(self.clock.now)
        clients = KafkaClients({"bootstrap.servers": self.bootstrap})
        config = ConfigInUse("v1", ["cloud"], self.homes)
        stage = StageServices(self.topics, config, clients, self.clock, self.metrics, health)
        loop = DelayStage(stage, "0")
        thread = threading.Thread(target=loop.run.keep_running, args=(loop.run_membership,))
        thread.start()
        self._running = stage, thread
        return stage

    def committed(self, step: str) -> int:
        """The group's offset of a step; negative: none."""
        asked = [TopicPartition(self.topics.delayed(step), 0)]
        with Consumer({"bootstrap.servers": self.bootstrap, "group.id": delay_group(self)}) as it:
            return int(it.committed(asked, timeout=10)[0].offset)

    def end(self, topic: str) -> int:
        """Where the topic's log ends."""
        with Consumer({"bootstrap.servers": self.bootstrap, "group.id": "looks"}) as it:
            return int(it.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)[1])

    def refused(self, topic: str) -> float | None:
        """How many deletions were counted as refused."""
        name = "survey_dispatcher_deletions_refused_total"
        return self.metrics.registry.get_sample_value(name, {"topic": topic})

    def write_lane(self) -> None:
        """An invitation of the lane's topic: the application has worked before."""
        self._client.produce(
            self.topics.invitations("cloud"), orjson.dumps({"n": -1, "campaign": "visit"}), b"k"
        )
        assert self._client.flush(10) == 0

    def stop(self) -> None:
        if self._running is not None:
            stage, thread = self._running
            stage.stop.set()
            thread.join(30)
            assert not thread.is_alive()
            self._running = None

    def put(self, number: int, seconds: float, lane: str = "cloud") -> float:
        """One invitation that is due in so many seconds; when that is."""
        now = self.clock.now()
        due = now + seconds
        value = orjson.dumps({"n": number, "campaign": "visit"})
        record = Delayed(lane, 1_700_000_000.25, due, f"k{number}", value)
        record.put(self._client, self.topics.delayed(step_for(seconds)), now)
        assert self._client.flush(10) == 0
        return due

    def put_in_transactions(self, number: int, seconds: float) -> None:
        """So many invitations, each in a transaction of its own; one more is aborted."""
        due = self.clock.now() + seconds
        settings = {"bootstrap.servers": self.bootstrap, "transactional.id": unique("lane")}
        client = Producer(settings)
        client.init_transactions(10)
        record = Delayed("cloud", 1_700_000_000.25, due, "k", b"{}")
        for put in range(number + 1):
            client.begin_transaction()
            record.put(client, self.topics.delayed(step_for(seconds)), self.clock.now())
            if put < number:
                client.commit_transaction(10)
            else:
                client.flush(10)
                client.abort_transaction(10)

    def write(self, value: bytes) -> None:
        """A record on the delay topics that no lane put there."""
        self._client.produce(self.topics.delayed("1m"), value, b"k")
        assert self._client.flush(10) == 0

    def shown(self) -> dict[str, float]:
        """Step → what its gauge shows."""
        return self.metrics.series.totals("delayed_invitations", "step")

    def dead(self) -> float | None:
        """How many dead letters were counted."""
        return self.metrics.registry.get_sample_value(
            "survey_dispatcher_dead_letters_total", {"stage": "delay", "reason": "bad_invitation"}
        )

    def back(self) -> list[Message]:
        return read_topic(self.bootstrap, self.topics.invitations("cloud"))

    def numbers(self) -> list[int]:
        return [orjson.loads(each.value() or b"")["n"] for each in self.back()]


@pytest.fixture
def delays(kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[DelayTopics]:
    for step, seconds in SECONDS.items():
        monkeypatch.setitem(STEPS, step, seconds)
    delays = DelayTopics(kafka)
    yield delays
    delays.stop()


def test_a_delayed_invitation_comes_back_when_due_once_and_unchanged(delays: DelayTopics) -> None:
    """Several steps at once, hops between them, a restart in the middle."""
    due = {number: delays.put(number, 1.0 + number % 5) for number in range(200)}
    delays.start()
    until("the first are back", lambda: len(delays.back()) > 20)
    delays.stop()
    delays.start()
    until("all are back", lambda: len(delays.back()) >= 200)
    back = delays.back()
    assert sorted(delays.numbers()) == sorted(due)
    assert {each.timestamp()[1] for each in back} == {1_700_000_000_250}
    assert {each.key() for each in back} == {f"k{number}".encode() for number in due}
    assert delays.clock.now() >= max(due.values())


def test_no_invitation_comes_back_before_its_time(delays: DelayTopics) -> None:
    due = delays.put(1, 2.5)
    delays.start()
    until("it is back", lambda: bool(delays.back()))
    assert delays.clock.now() >= due


class Wrong(Clock):
    """A clock that is so far ahead of Kafka's."""

    def __init__(self, ahead: float) -> None:
        super().__init__(lambda: time.time() + ahead)


@pytest.mark.parametrize("ahead", [3_600.0, -3_600.0])
def test_a_wrong_clock_gives_back_neither_early_nor_late_and_does_not_run_in_circles(
    delays: DelayTopics, ahead: float
) -> None:
    """The lane's process and the delay stage's have it alike, or the delay stage's alone."""
    right, delays.clock = delays.clock, Wrong(ahead)
    due = delays.put(1, 5.0) - ahead
    delays.clock = right
    also = delays.put(2, 5.0)
    delays.clock = Wrong(ahead)
    stage = delays.start()
    until("both are back", lambda: len(delays.back()) == 2)
    assert right.now() >= max(due, also)
    ended = {topic: delays.end(topic) for topic in map(delays.topics.delayed, STEPS)}
    assert sum(ended.values()) < 20, "each hop is a record and a marker"
    shown = delays.metrics.registry.get_sample_value("survey_dispatcher_clock_ahead_seconds")
    assert shown == pytest.approx(ahead, abs=5)
    assert stage.clock.stepped == 0.0


def test_a_step_that_waits_shows_how_many_wait(
    delays: DelayTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paused, it has no position, and nothing of it is fetched."""
    monkeypatch.setitem(STEPS, "10m", 600.0)
    for number in range(3):
        delays.put(number, 700.0)
    stage = delays.start()
    steps = [delays.topics.delayed(step) for step in STEPS]
    clients = KafkaClients({"bootstrap.servers": delays.bootstrap})
    admin = AdminClient({"bootstrap.servers": delays.bootstrap})
    watch = DelayWatch(
        admin, steps, stage.step_ends, StepCounts(), lambda: clients.reader(unique("count"))
    )
    watch.poll()
    until("all three are shown", lambda: delays.shown().get("10m") == 3)
    delays.put(4, 700.0)
    watch.poll()
    until("later arrivals too", lambda: delays.shown()["10m"] == 4)
    assert delays.shown() == dict.fromkeys(STEPS, 0) | {"10m": 4}
    delays.stop()
    assert delays.shown() == {}


@pytest.mark.parametrize("records", [2, 326])
def test_markers_of_transactions_are_no_records_of_a_step(
    delays: DelayTopics, monkeypatch: pytest.MonkeyPatch, records: int
) -> None:
    """A lane puts few off at a time, each time in a transaction, whose marker takes an offset."""
    monkeypatch.setitem(STEPS, "10m", 600.0)
    delays.put_in_transactions(records, 700.0)
    stage = delays.start()
    steps = [delays.topics.delayed(step) for step in STEPS]
    clients = KafkaClients({"bootstrap.servers": delays.bootstrap})
    watch = DelayWatch(
        AdminClient({"bootstrap.servers": delays.bootstrap}),
        steps,
        stage.step_ends,
        stage.step_counts,
        lambda: clients.reader(unique("count")),
    )

    def shown() -> bool:
        watch.poll()
        return delays.shown().get("10m") == records

    until("as many as there are", shown)
    delays.put_in_transactions(3, 700.0)
    records += 3
    until("later arrivals too", shown)


def test_a_step_without_invitations_is_empty_though_markers_are_left(delays: DelayTopics) -> None:
    """A longer wait hops through a transaction, whose marker is the step's last record."""
    delays.put(1, 3.5)
    delays.start()
    until("it is back", lambda: bool(delays.back()))
    until("all is empty", lambda: delays.shown() == dict.fromkeys(STEPS, 0))


def test_what_no_lane_put_there_becomes_a_dead_letter(delays: DelayTopics) -> None:
    delays.write(b"?")
    delays.put(1, 1.0)
    delays.start()
    until("the other is back", lambda: bool(delays.back()))
    (letter,) = read_topic(delays.bootstrap, delays.topics.dead_letters)
    headers = dict(letter.headers() or [])
    assert letter.value() == b"?"
    assert headers["dead_letter.reason"] == b"bad_invitation"
    until("it is counted", lambda: delays.dead() == 1)


def test_a_lane_that_left_the_config_gets_its_own_to_be_drained(delays: DelayTopics) -> None:
    former = delays.topics.invitations("former")
    create_topics(delays.bootstrap, former)
    delays.put(1, 1.0, lane="former")
    delays.start()
    until("it is on the orphan's topic", lambda: bool(read_topic(delays.bootstrap, former)))


def test_invitations_of_a_lane_without_a_topic_stay_on_the_delay_topics(
    delays: DelayTopics,
) -> None:
    delays.put(1, 1.0, lane="gone")
    delays.start()
    orphaned = delays.topics.delayed("1h")
    until("it is on the long step", lambda: bool(read_topic(delays.bootstrap, orphaned)))
    assert not delays.back()


def test_an_invitation_goes_back_to_the_lane_that_has_its_campaign_now(delays: DelayTopics) -> None:
    """Its account moved to another quota while it waited on the delay topics."""
    delays.homes = {"visit": "cloud"}
    create_topics(delays.bootstrap, delays.topics.invitations("former"))
    delays.put(1, 1.0, lane="former")
    delays.put(2, 1.0, lane="gone")
    delays.start()
    until("both are back", lambda: len(delays.back()) >= 2)
    assert delays.numbers() == [1, 2]
    assert read_topic(delays.bootstrap, delays.topics.invitations("former")) == []


def delay_group(delays: DelayTopics) -> str:
    return f"{delays.topics.application_id}.ladder"


def forget(delays: DelayTopics) -> None:
    """What `offsets.retention.minutes` does to a group that no process is in."""
    admin = AdminClient({"bootstrap.servers": delays.bootstrap})
    admin.delete_consumer_groups([delay_group(delays)])[delay_group(delays)].result(10)


def test_forgotten_offsets_give_nothing_back_twice_though_nothing_was_deleted(
    delays: DelayTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The right to delete records is missing: the log begins at 0, as one that was never read."""
    monkeypatch.setattr(
        StageRun, "delete_records", lambda *_: None
    )  # else a first look that is late trims
    delays.start()
    delays.put(1, 1.0)
    until("it is back", lambda: delays.numbers() == [1])
    delays.stop()
    forget(delays)

    with capture_logs() as logs:
        stage = delays.start()
        until("it stands still", lambda: stopped_steps(delays) == ["1m"])
    (said,) = [log for log in logs if log["event"] == "input_stopped"]
    assert said["group"] == delay_group(delays)
    assert (said["topic"], said["reason"]) == (delays.topics.delayed("1m"), "forgotten")
    assert f"`survey-dispatcher inputs resume {said['topic']} --from" in said["why"]
    delays.put(2, 700.0)  # another step goes on
    until("the other step is read", lambda: delays.committed("10m") >= 0)
    assert delays.numbers() == [1]
    stage.commands.add(go_on(delays, "1m", at=1))
    until("none stands still", lambda: stopped_steps(delays) == [])
    delays.put(3, 1.0)
    until("what came since is back", lambda: delays.numbers() == [1, 3])


def test_a_command_that_saw_another_offset_or_topic_resumes_no_step(delays: DelayTopics) -> None:
    delays.start()
    delays.put(1, 1.0)
    until("it is back", lambda: delays.numbers() == [1])
    delays.stop()
    forget(delays)
    stage = delays.start()
    until("it stands still", lambda: stopped_steps(delays) == ["1m"])
    stage.commands.add(go_on(delays, "1m", at=0, seen=5))
    stage.commands.add(go_on(delays, "1m", at=0, topic_id="another"))
    stage.commands.add(go_on(delays, "10m", at=0))
    looked = stage.metrics.registry.get_sample_value  # it looks every two seconds
    turns = "survey_dispatcher_poll_gap_seconds_count"
    before = looked(turns, {"stage": "delay"}) or 0.0
    until("it looked", lambda: (looked(turns, {"stage": "delay"}) or 0.0) > before + 12)
    assert stopped_steps(delays) == ["1m"]
    assert delays.committed("1m") < 0
    assert delays.numbers() == [1]


def test_a_step_whose_records_were_deleted_stands_still_and_goes_on_by_command(
    delays: DelayTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retention that another hand set: the group's offset lies before the log."""
    monkeypatch.setitem(STEPS, "10m", 600.0)
    delays.start()
    until("it is in its group", lambda: delays.committed("10m") == 0)
    delays.stop()
    for number in range(3):
        delays.put(number, 700.0)
    admin = AdminClient({"bootstrap.servers": delays.bootstrap})
    place = TopicPartition(delays.topics.delayed("10m"), 0, 2)
    admin.delete_records([place])[place].result(10)
    stage = delays.start()
    until("it stands still", lambda: stopped_steps(delays) == ["10m"])
    stage.commands.add(go_on(delays, "10m", at=2, seen=0))
    until("none stands still", lambda: stopped_steps(delays) == [])
    assert delays.committed("10m") == 2


def stopped_steps(delays: DelayTopics) -> list[str]:
    """Steps that the metrics show as standing still."""
    value = delays.metrics.registry.get_sample_value
    return [
        step
        for step in STEPS
        if value(
            "survey_dispatcher_input_stopped",
            {"topic": delays.topics.delayed(step), "partition": "0"},
        )
    ]


def go_on(
    delays: DelayTopics, step: str, *, at: int, seen: int = -1, topic_id: str | None = None
) -> ResumeInput:
    """What `inputs resume` tells the processes."""
    topic = delays.topics.delayed(step)
    clients = KafkaClients({"bootstrap.servers": delays.bootstrap})
    return ResumeInput(
        id=unique("resume"),
        at=delays.clock.now(),
        topic=topic,
        topic_id=topic_id or clients.topic_id(topic),
        seen={0: seen},
        offsets={0: at},
    )


def test_a_step_that_was_read_while_empty_begins_where_it_was(delays: DelayTopics) -> None:
    """Its offset is committed at the first assignment, so what came while nothing ran is new."""
    delays.start()
    until("it is in its group", lambda: delays.committed("1m") == 0)
    delays.stop()
    delays.put(1, 0.1)
    delays.write_lane()
    delays.start()
    until("it is back", lambda: 1 in delays.numbers())
    assert delays.numbers() == [-1, 1]


def test_forgotten_offsets_lose_nothing_where_nothing_was_due(
    delays: DelayTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not due has not left its step, so no operator need be asked."""
    monkeypatch.setitem(STEPS, "10m", 600.0)
    delays.write_lane()
    delays.start()
    until("it is in its group", lambda: delays.committed("10m") == 0)
    delays.put(1, 700.0)
    delays.stop()
    forget(delays)
    delays.start()
    until("it reads on", lambda: delays.committed("10m") == 0)


def test_a_refused_deletion_is_said_once_and_counted(delays: DelayTopics) -> None:
    """Here of a topic that does not exist; an ACL answers the same way."""
    run = StageRun(delays.start(), "delay")
    with structlog.testing.capture_logs() as said:
        for _ in range(3):
            run.delete_records("no-such-topic", 5)
        until("all are refused", lambda: delays.refused("no-such-topic") == 3)
    assert [(each["event"], each["topic"]) for each in said] == [
        ("records_not_deleted", "no-such-topic")
    ]
