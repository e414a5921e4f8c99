"""What an operator does by hand, on a real Kafka: once each, however often the command is run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from consumer.cli.main import app
from consumer.config import load
from consumer.errors import KafkaSessionError, OperationError
from consumer.kafka import topics
from consumer.kafka.clients import admin_client
from consumer.kafka.records.messages import content_of
from consumer.operations.access import Access
from consumer.operations.dead_letters import replay
from consumer.operations.dead_letters.letters import Filter
from consumer.operations.lanes import drain
from consumer.operations.lanes.drain import LaneDrain
from consumer.operations.resend.run import plan, resend_chosen
from consumer.operations.resend.selection import Choice, Plan
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.result import Result
from tests.support.dispatcher import LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker, read_topic


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def operate(config: Path, *words: str, typed: str = "") -> str:
    """Run a command as an operator would; what it said, or why it refused."""
    done = CliRunner().invoke(
        app, [*words, "--config", str(config)], input=typed, env={"ADMIN_PORT": "0"}
    )
    if isinstance(done.exception, OperationError):
        return f"refused: {done.exception}"
    assert done.exit_code == 0, f"{done.output}\n{done.exception!r}"
    return done.output


def change(config: Path, **parts: object) -> Path:
    """Replace top-level parts of a config."""
    document = json.loads(config.read_text()) | parts
    config.write_text(json.dumps(document, indent=2))
    return config


def statuses(world: LiveWorld) -> Counter[str]:
    return Counter(result["status"] for result in world.results())


# -- resend ---------------------------------------------------------------------------------------


def test_unknown_ones_are_sent_again_once(world: LiveWorld) -> None:
    """A vendor that hangs leaves 20 in doubt; resent, each is called once more and no other is."""
    world.start_vendor(faults={"hang": 1.0})
    config = world.configure({"call_timeout": "1s"}, window={"max_batch": 100})
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()
    world.publish(purchases("store", range(20)))
    world.wait_results(20)
    assert statuses(world) == {"unknown": 20}
    world.set_faults()
    world.publish(purchases("store", range(20, 30)))
    world.wait_results(30)

    resend = "resend", "--status", "unknown"
    assert "20" in operate(config, *resend, "--dry-run")
    assert "nothing was done" in operate(config, *resend, typed="19\n")
    assert world.invitations_written() == end_of_lane(world)
    kill_inside_its_transaction(world)
    assert_the_later_of_two_runs_wins(config, lambda: operate(config, *resend, typed="20\n"))
    world.wait_results(50)
    assert "nothing to send again" in operate(config, *resend, "--yes")
    assert "nothing to send again" in operate(config, "resend", "--status", "failed", "--yes")
    assert_names_that_are_not_there_are_told(config)
    assert dispatcher.terminate() == 0

    first, again = split(world.results())
    assert {each["resend_of"] for each in again} == {
        each["id"] for each in first if each["status"] == "unknown"
    }
    assert {each["status"] for each in again} == {"accepted"}
    assert len(again) == 20
    # The vendor had taken what hung: an operator's resend is the one way to ask a customer twice.
    assert Counter(world.accepted().values()) == {2: 20, 1: 10}


def assert_names_that_are_not_there_are_told(config: Path) -> None:
    with pytest.raises(OperationError, match="there is no campaign 'nope' in the config"):
        plan(access(config), Choice(frozenset({"unknown"}), campaigns=frozenset({"nope"})))
    with pytest.raises(OperationError, match="the config reads no topic 'nope'"):
        replay.read_letters(access(config), Filter(topics=("nope",)))


def assert_the_later_of_two_runs_wins(config: Path, other: Callable[[], str]) -> None:
    """While one run asks its operator, another does the work: the first can write nothing more."""

    def meanwhile(plan: Plan) -> bool:
        assert len(plan.again) == 20
        assert "20 sent again" in other()
        return True

    unknown = Choice(frozenset({"unknown"}))
    with pytest.raises(KafkaSessionError, match="_FENCED"):
        resend_chosen(access(config), unknown, meanwhile)


def access(config: Path) -> Access:
    return Access(load(config, env={"ADMIN_PORT": "0"}))


class Killed(BaseException):
    """A command ends here, as by `kill -9`."""


def kill_at_the_second(step: Callable[..., None]) -> Callable[..., None]:
    """The step, which is only carried out once."""
    done: list[bool] = []

    def once(*arguments: object) -> None:
        if done:
            raise Killed
        done.append(True)
        step(*arguments)

    return once


def split(results: list[Result]) -> tuple[list[Result], list[Result]]:
    """Results of routed invitations, and of resent ones."""
    first = [result for result in results if "resend_of" not in result]
    return first, [result for result in results if "resend_of" in result]


def end_of_lane(world: LiveWorld) -> int:
    return world.invitations_written()


def kill_inside_its_transaction(world: LiveWorld) -> None:
    """What a command leaves that dies before its commit: an open transaction."""
    settings = {"bootstrap.servers": world.bootstrap, "transactional.id": f"{world.name}.resend"}
    dying = Producer(settings)
    dying.init_transactions(10)
    dying.begin_transaction()
    dying.produce(f"{world.name}.invitations.pisano", b"{}", partition=0)
    dying.flush(10)


# -- dead letters ---------------------------------------------------------------------------------


def test_dead_letters_are_given_back_once_after_a_fix(
    world: LiveWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The config looked for the time in the wrong place; mended and replayed, each is routed."""
    world.start_vendor()
    config = world.configure(window={"max_batch": 100})
    right = json.loads(config.read_text())["inputs"]
    world.create_topics(config)
    change(config, inputs={"pos": {**right["pos"], "event": {"time": "happened_at"}}})
    world.publish(purchases("store", range(12)))
    world.publish_raw([(b"k", b"not json", [("trace", b"t-1")])])
    first = world.start(config).wait_ready()
    until("all are dead letters", lambda: len(letters(world)) == 13)
    assert first.terminate() == 0

    change(config, inputs=right)
    said = operate(config, "dlq", "list")
    assert "no_time" in said
    assert "not_json" in said
    listed = json.loads(operate(config, "dlq", "list", "--reason", "no_time", "--json"))
    place = str(listed[0]["letter"])
    assert "event.time" in operate(config, "dlq", "show", place)
    assert "Customer Nr" not in operate(config, "dlq", "show", place)
    assert "Customer Nr" in operate(config, "dlq", "show", place, "--value")
    kill_inside_a_replay(world)
    assert "1 replayed" in operate(config, "dlq", "replay", place, "--yes")
    second = world.start(config, begin=None).wait_ready()
    mended = Filter(reasons=[DeadLetterReason.NO_TIME])
    with monkeypatch.context() as patch:
        patch.setattr(replay, "AT_ONCE", 5)
        patch.setattr(replay, "_write", kill_at_the_second(replay._write))
        with pytest.raises(Killed):
            replay.replay_letters(access(config), mended, lambda _: True)
    assert "6 replayed" in operate(config, "dlq", "replay", "--reason", "no_time", typed="6\n")
    assert "1 replayed" in operate(config, "dlq", "replay", "--all", "--yes")
    again = operate(config, "dlq", "replay", "--reason", "no_time", "--yes")
    assert "nothing to replay" in again
    world.wait_results(12)
    write(world, f"{world.name}.replayed")
    until("the bad ones are dead letters again", lambda: len(letters(world)) == 15)
    assert second.terminate() == 0
    said = operate(config, "dlq", "replay", "--reason", "no_input", "--yes")
    assert "its topic is no input" in said

    world.check()
    assert {result["source"]["topic"] for result in world.results()} == {world.input}
    was, now = (letter for letter in letters(world) if letter[0] == b"not json")
    assert was == now  # place, time and headers of the original record, whichever way it came


def test_a_foreign_record_on_a_lanes_topic_is_a_dead_letter_that_is_counted(
    world: LiveWorld,
) -> None:
    """It stops no stage, and the command shows it."""
    world.start_vendor()
    config = world.configure()
    world.create_topics(config)
    world.publish(purchases("store", range(5)))
    running = world.start(config).wait_ready()
    world.wait_results(5)
    write(world, f"{world.name}.invitations.pisano")
    world.publish(purchases("store", range(5, 10)))
    world.wait_results(10)
    until(
        "it is counted",
        lambda: running.metrics().total("dead_letters_total", stage="pisano") == 1,
    )
    assert running.terminate() == 0
    world.check()
    ((value, headers),) = letters(world)
    assert (value, headers["dead_letter.reason"]) == (b"{}", b"bad_invitation")
    assert "bad_invitation" in operate(config, "dlq", "list")


def letters(world: LiveWorld) -> list[tuple[bytes | None, dict[str, bytes | None]]]:
    """Value and headers of all dead letters, but for when they became one, and for the marks."""
    found = [
        (each.value(), dict(content_of(each).headers))
        for each in read_topic(world.bootstrap, f"{world.name}.dead-letters")
    ]
    changing = {"dead_letter.at", "dead_letter.config_version"}
    return [
        (value, {name: text for name, text in headers.items() if name not in changing})
        for value, headers in found
        if "dead_letter.reason" in headers
    ]


def write(world: LiveWorld, topic: str) -> None:
    """Another producer writes to a topic of ours; to `replayed`, and so without a place."""
    producer = Producer({"bootstrap.servers": world.bootstrap})
    producer.produce(topic, b"{}")
    assert producer.flush(10) == 0


def kill_inside_a_replay(world: LiveWorld) -> None:
    """Marks and replayed records of a command that died before its commit count for nothing."""
    settings = {"bootstrap.servers": world.bootstrap, "transactional.id": f"{world.name}.dlq"}
    dying = Producer(settings)
    dying.init_transactions(10)
    dying.begin_transaction()
    mark: list[tuple[str, str | bytes | None]] = [("dead_letter.replayed", b"0/0")]
    dying.produce(f"{world.name}.dead-letters", None, headers=mark)
    dying.produce(f"{world.name}.replayed", b"{}")
    dying.flush(10)


# -- lanes ----------------------------------------------------------------------------------------


def test_a_lane_that_left_the_config_is_drained_into_another(
    world: LiveWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quota is renamed while the vendor is down: what waited goes on in the new lane."""
    config = world.configure(window={"max_batch": 10})
    world.create_topics(config)
    first = world.start(config).wait_ready()
    world.publish(purchases("store", range(30)))
    until("they wait", lambda: first.metrics().total("waiting_invitations") == 30)
    assert "its own sender" in operate(config, "lanes", "drain", "pisano")
    rename_quota(config, "pisano", "cloud")
    assert "1 owners" in operate(config, "lanes", "drain", "pisano")
    assert first.terminate() == 0

    create_missing(config)
    second = world.start(config, begin=None).wait_ready()
    until("it warns", lambda: bool(second.lines("lane_left_config")))
    assert "lanes drain pisano" in second.lines("lane_left_config")[0]["mend"]
    until("it shows", lambda: second.metrics().total("orphaned_lane_records") >= 30)
    assert "NO" in operate(config, "lanes", "list")
    world.start_vendor()
    with monkeypatch.context() as patch:
        patch.setattr(drain, "AT_ONCE", 10)
        patch.setattr(LaneDrain, "_commit", kill_at_the_second(LaneDrain._commit))
        with pytest.raises(Killed):
            LaneDrain(access(config), "pisano", close=False).run(lambda _counts: True)
    assert "pisano: done" in operate(config, "lanes", "drain", "pisano", typed="20\n")
    assert "nothing was done" in operate(config, "lanes", "drain", "pisano", "--yes")
    world.wait_results(30)
    assert second.terminate() == 0
    world.check()


def test_a_lane_is_closed_with_a_result_for_each(world: LiveWorld) -> None:
    """What was in a call when its owner died is unknown; what waited has failed."""
    world.start_vendor(faults={"hang": 1.0})
    config = world.configure({"max_in_flight": 1}, window={"max_batch": 10})
    world.create_topics(config)
    world.publish(purchases("store", range(25)))
    first = world.start(config)
    until("a call hangs", lambda: world.vendor()["accepted_recipients"] == 10)
    first.kill()

    rename_quota(config, "pisano", "cloud")
    create_missing(config)
    until("the group dropped it", lambda: world.group_members() == 0)
    said = operate(config, "lanes", "close", "pisano", "--yes")
    assert "failed (lane_closed)" in said
    assert "nothing was done" in operate(config, "lanes", "close", "pisano", "--yes")
    assert Counter(each["reason"] for each in world.check(unknown_at_most=10)) == {
        "owner_lost": 10,
        "lane_closed": 15,
    }
    checkpoint = world.checkpoint()
    assert checkpoint.base == world.invitations_written()
    assert not checkpoint.in_flight


def rename_quota(config: Path, old: str, new: str) -> None:
    document = json.loads(config.read_text())
    quotas = {(new if name == old else name): each for name, each in document["quotas"].items()}
    vendors = {
        name: each | {"quota": new if each["quota"] == old else each["quota"]}
        for name, each in document["vendors"].items()
    }
    change(config, quotas=quotas, vendors=vendors)


def create_missing(config: Path) -> None:
    loaded = load(config, env={"ADMIN_PORT": "0"})
    topics.create(admin_client(loaded.kafka), topics.own_topics(loaded))
