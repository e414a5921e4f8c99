"""The commands as an operator meets them: exit codes, and messages that say what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from consumer.cli.main import main
from consumer.kafka import clients, reachability
from tests.support.dispatcher import LiveWorld, command, until
from tests.support.kafka import KafkaBroker, create_topics


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def said(*arguments: str | Path, port: int = 0) -> tuple[int, str, str]:
    """Run a command to its end: exit code, stdout, stderr."""
    done = subprocess.run(
        command(*arguments),
        env={"ADMIN_PORT": str(port), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_config_is_refused_with_file_and_line(world: LiveWorld) -> None:
    """`run` and `validate` say the same, once, and name the place."""
    config = world.configure()
    good = config.read_text()
    assert said("validate", "-c", config)[0] == 0

    config.write_text(good.replace('"channel": "sms"', '"channel": "pigeon"'))
    line = config.read_text()[: config.read_text().index("pigeon")].count("\n") + 1
    for words in (["validate"], ["run", "--from", "earliest"]):
        code, _, errors = said(*words, "-c", config)
        assert code == 2
        assert f"{config}:{line}: campaigns.purchase-sms.channel" in errors
        assert "Traceback" not in errors


def test_validate_says_what_the_config_holds(world: LiveWorld) -> None:
    """Without a broker and, if asked, without secrets."""
    config = world.configure()
    config.write_text(config.read_text().replace("sandbox-token", "${env:NO_SUCH_TOKEN}"))

    code, told, _ = said("validate", "-c", config, "--no-secrets")
    assert code == 0
    assert "valid" in told
    assert "3 routes, 3 campaigns, lanes: pisano, radar" in told
    assert said("validate", "-c", config)[0] == 2


def test_missing_topics_are_named_and_created(world: LiveWorld) -> None:
    """`run` refuses to start and names the command, which then mends it."""
    config = world.configure()
    code, _, errors = said("run", "-c", config, "--from", "earliest")
    assert code == 3
    assert f"input topic {world.input} does not exist" in errors
    assert f"topic {world.name}.results is missing" in errors
    assert "topics --create" in errors
    assert "Traceback" not in errors

    create_topics(world.bootstrap, world.input)
    code, told, errors = said("topics", "-c", config, "--create")
    assert (code, errors) == (0, "")
    assert told.count("created ") == 16
    assert said("topics", "-c", config) == (0, "all topics are as they must be\n", "")
    assert said("topics", "-c", config, "--create")[1].count("created ") == 0


class HearsLate:
    """An admin client whose first two looks after a creation show the topics of before it."""

    def __init__(self, client: AdminClient) -> None:
        self._client = client
        self._stale: list[object] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def create_topics(self, *asked: Any, **more: Any) -> Any:
        self._stale = [self._client.list_topics(timeout=10)] * 2
        return self._client.create_topics(*asked, **more)

    def list_topics(self, *asked: Any, **more: Any) -> Any:
        return self._stale.pop() if self._stale else self._client.list_topics(*asked, **more)


def test_topics_that_a_broker_shows_late_are_waited_for(
    world: LiveWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """D8: `--create` made all topics, then said that all were missing, and ended with 3."""
    config = world.configure()
    create_topics(world.bootstrap, world.input)
    monkeypatch.setattr(clients, "admin_client", partial(_late, clients.admin_client))
    monkeypatch.setattr(sys, "argv", ["survey-dispatcher", "topics", "-c", str(config), "--create"])
    monkeypatch.setenv("ADMIN_PORT", "0")

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 0
    assert capsys.readouterr().out.endswith("all topics are as they must be\n")


def _late(admin: Callable[[Mapping[str, str]], AdminClient], of: Mapping[str, str]) -> HearsLate:
    return HearsLate(admin(of))


def test_a_topic_that_is_not_as_it_must_be_is_refused(world: LiveWorld) -> None:
    """Two partitions where order and state rest on one, and records that would be deleted."""
    config = world.configure()
    create_topics(world.bootstrap, world.input)
    create_topics(world.bootstrap, f"{world.name}.invitations.pisano", partitions=2)

    code, _, errors = said("topics", "-c", config, "--create")
    assert code == 3
    assert "has 2 partitions; it must have 1" in errors
    assert "retention.ms=" in errors


def test_limits_below_what_is_written_are_refused_and_raised(world: LiveWorld) -> None:
    """A broker would refuse a batch, a checkpoint, or what comes back from the delay topics."""
    config = world.configure()
    create_topics(world.bootstrap, world.input)
    small = {"max.message.bytes": "200000", "segment.bytes": "1048576"}
    aged = {"message.timestamp.before.max.ms": "3600000", "message.timestamp.type": "CreateTime"}
    kept = {"retention.ms": "-1", "retention.bytes": "-1"}
    invitations, checkpoints, results = (
        f"{world.name}.{kind}" for kind in ("invitations.pisano", "checkpoints.pisano", "results")
    )
    create_topics(world.bootstrap, invitations, config={**small, **aged, **kept})
    create_topics(world.bootstrap, checkpoints, config={**small, "cleanup.policy": "compact"})
    create_topics(world.bootstrap, results, config=small)
    assert said("topics", "-c", config)[0] == 3
    create_topics(world.bootstrap, f"{world.name}.invitations.radar", config=kept)

    code, _, errors = said("run", "-c", config, "--from", "earliest")
    assert code == 3
    assert f"topic {invitations} has max.message.bytes=200000; at least 1048576" in errors
    assert f"topic {invitations} has message.timestamp.before.max.ms=3600000; at least" in errors
    assert f"topic {checkpoints} has segment.bytes=1048576; at least 8388608" in errors
    assert f"topic {results} has max.message.bytes=200000" in errors

    code, told, errors = said("topics", "-c", config, "--create")
    assert (code, errors) == (0, "")
    assert f"changed {checkpoints}: segment.bytes=8388608" in told
    assert said("topics", "-c", config) == (0, "all topics are as they must be\n", "")


def test_a_first_start_must_say_where_to_begin(world: LiveWorld) -> None:
    """Without `--from` nothing is guessed; a second start needs no `--from`."""
    config = world.configure()
    world.create_topics(config)
    code, _, errors = said("run", "-c", config)
    assert code == 4
    assert f"{world.input} [" in errors
    assert "--from earliest" in errors
    assert "Traceback" not in errors

    first = world.start(config).wait_ready()
    until("all partitions are begun", lambda: world.committed() == [0, 0, 0])
    assert first.terminate() == 0
    second = world.start(config, begin=None).wait_ready()
    assert second.terminate() == 0


def test_a_beginning_must_be_a_time_with_its_offset(world: LiveWorld) -> None:
    """A time without an offset means another moment on every machine."""
    code, _, errors = said("run", "-c", world.configure(), "--from", "2026-11-22T15:37:07")
    assert code == 2
    assert "RFC 3339" in errors


def test_topics_are_printed_when_they_may_not_be_created(world: LiveWorld) -> None:
    """As commands and as Strimzi resources, with no broker and no secrets."""
    world.bootstrap = "127.0.0.1:1"
    config = world.configure()
    config.write_text(config.read_text().replace("sandbox-token", "${file:/no/such/token}"))

    code, told, _ = said("topics", "-c", config, "--format", "cli")
    assert code == 0
    lines = told.splitlines()
    assert len(lines) == 16
    assert all(line.startswith("kafka-topics.sh ") for line in lines)
    assert f"--topic {world.name}.checkpoints.radar " in told

    code, told, _ = said("topics", "-c", config, "--format", "strimzi")
    assert code == 0
    resources = [json.loads(each) for each in told.split("---\n") if each]
    assert [resource["kind"] for resource in resources] == ["KafkaTopic"] * 16
    assert {resource["spec"]["topicName"] for resource in resources} >= {f"{world.name}.results"}
    assert said("topics", "-c", config, "--format", "xml")[0] == 2


def test_topics_without_a_broker_is_one_message(
    world: LiveWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback, and the setting that leads to a broker is named."""
    world.bootstrap = "127.0.0.1:1"
    words = ["survey-dispatcher", "topics", "-c", str(world.configure())]
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.setenv("ADMIN_PORT", "0")
    monkeypatch.setattr(reachability, "WAIT", 0.5)

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("no broker answers at 127.0.0.1:1 within")
    assert "bootstrap.servers" in said


def test_a_taken_admin_port_is_one_message(world: LiveWorld) -> None:
    """Two processes on one port: the second says which, and ends."""
    config = world.configure()
    world.create_topics(config)
    running = world.start(config).wait_ready()

    code, _, errors = said("run", "-c", config, port=running.port)
    assert code == 1
    assert f"admin port {running.port} is in use" in errors
    assert "Traceback" not in errors
    assert running.terminate() == 0
