"""Options for a trial of a config: events of a file, and input topics that are missing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from consumer.cli.main import app
from consumer.demo import feed
from consumer.errors import DispatcherError
from consumer.operations.first_config.choices import Choices
from consumer.operations.first_config.files import first_config, write


@pytest.fixture
def config(tmp_path: Path) -> Path:
    made = first_config(tmp_path, Choices("pisano", "email", topic="shop.orders"), 0.0)
    write(made)
    return made.config


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, list[bytes]]]:
    """What is produced: address, topic, values."""
    found: list[tuple[str, str, list[bytes]]] = []

    def produce(
        settings: dict[str, str], topic: str, events: Iterable[tuple[float, bytes, bytes]], **_: Any
    ) -> int:
        found.append((settings["bootstrap.servers"], topic, [value for _, _, value in events]))
        return len(found[-1][2])

    monkeypatch.setattr(feed, "feed", produce)
    return found


def produce(*words: str | Path) -> Any:
    return CliRunner(env={"KAFKA_BOOTSTRAP": "kafka:9092"}).invoke(
        app, ["produce", *map(str, words)]
    )


def test_events_of_a_file_go_to_the_configs_topic_as_they_are(
    config: Path, fed: list[Any], tmp_path: Path
) -> None:
    (lines := tmp_path / "lines.jsonl").write_text('{"a": 1}\n\n{"b"\n{"c": 3}\n')
    done = produce("-c", config, "--events", lines)
    assert (done.exit_code, done.stdout) == (0, "3 events produced to shop.orders\n")
    (whole := tmp_path / "whole.json").write_text('{\n "a": 1\n}\n')
    produce("-c", config, "--events", whole, "--topic", "other", "--bootstrap", "else:1")
    assert fed == [
        ("kafka:9092", "shop.orders", [b'{"a": 1}', b'{"b"', b'{"c": 3}']),
        ("else:1", "other", [b'{\n "a": 1\n}']),
    ]


def test_a_file_that_is_missing_is_named(config: Path, tmp_path: Path) -> None:
    done = produce("-c", config, "--events", tmp_path / "none.json")
    assert isinstance(done.exception, DispatcherError)
    assert str(done.exception) == f"{tmp_path / 'none.json'}: No such file or directory"


def test_of_several_input_topics_one_has_to_be_named(config: Path) -> None:
    config.write_text(config.read_text().replace("[shop.orders]", "[shop.orders, web.orders]"))
    done = produce("-c", config, "--events", config)
    assert done.exit_code == 2
    assert "expected one of shop.orders, web.orders" in done.output


def test_input_topics_are_made_only_by_request(config: Path) -> None:
    done = CliRunner().invoke(app, ["topics", "-c", str(config), "--inputs"])
    assert done.exit_code == 2
    assert "--inputs goes with --create" in done.output
