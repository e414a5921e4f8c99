"""Tests of a config: events with what is expected of them, and what is said where it differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from consumer.cli.main import app
from consumer.operations.config_tests.run import differences
from tests.unit.operations.explain.cases import FOLDER

CONFIG = (FOLDER / "configs" / "trips.yaml").read_text()
TESTS = """\
defaults: {at: "2026-11-23T12:00:00Z"}
tests:
  an adult is asked:
    event:
      id: t-1
      time: "2026-11-23T10:00:00Z"
      trip: TK1
      travellers: [{adult: true, phone: "0532 123 45 67", seat: 1A}]
    expect:
      decision: invite
      call: {body: {phone_numbers: ["+905321234567"]}}
  a broken record:
    event: "{"
    expect: {decision: dead_letter, reason: not_json}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (path := tmp_path / "routing.yaml").write_text(CONFIG)
    return path


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["test", *words, "-c", str(config)])


@pytest.mark.parametrize("written", ["avro", "protobuf", "json_schema, validate: true"])
def test_events_of_records_that_name_a_schema_are_json(config: Path, written: str) -> None:
    text = CONFIG.replace("format: json", f"format: {written}")
    assert text != CONFIG
    config.write_text(text + "\nregistry: {url: 'https://registry.example'}\n")
    config.with_name("trips.tests.yaml").write_text(TESTS)
    done = run(config)
    assert (done.exit_code, done.stdout) == (0, "2 passed, 0 failed\n")


def test_files_beside_the_config_are_run(config: Path) -> None:
    config.with_name("trips.tests.yaml").write_text(TESTS)
    done = run(config)
    assert (done.exit_code, done.stdout) == (0, "2 passed, 0 failed\n")


def test_a_difference_is_said_with_its_place_and_path(config: Path) -> None:
    wrong = TESTS.replace('"+905321234567"', '"+905320000000"').replace("not_json", "empty")
    (path := config.with_name("other.yaml")).write_text(wrong)
    done = run(config, str(path))
    assert done.exit_code == 2
    assert done.stdout.splitlines() == [
        f"{path}:3: an adult is asked",
        "    call.body.phone_numbers[0]: expected '+905320000000', found '+905321234567'",
        f"{path}:12: a broken record",
        "    reason: expected 'empty', found 'not_json'",
        "0 passed, 2 failed",
    ]
    told = json.loads(run(config, str(path), "--json").stdout)
    assert told["passed"] == 0
    assert told["failed"][1]["differences"] == [
        {"path": "reason", "expected": "empty", "found": "not_json"}
    ]


def test_without_a_time_an_event_is_routed_at_its_own(config: Path) -> None:
    text = TESTS.replace('defaults: {at: "2026-11-23T12:00:00Z"}\n', "").replace("2026", "2001")
    config.with_name("trips.tests.yaml").write_text(text)
    assert run(config).stdout == "2 passed, 0 failed\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tests: {}\n", "1: tests: dictionary should have at least 1 item"),
        ("tests:\n  a: {event: {}, expct: {}}\n", "2: tests.a.expect: field required"),
        ("tests:\n  a: {event: {}, expect: {a: 1}, at: noon}\n", "2: tests.a.at: input should be"),
        ("tests:\n  a: {event: {}, expect: {a: 1}, input: x}\n", "no input x in the config"),
        ("tests: [", "the text ends before"),
    ],
)
def test_a_file_that_is_none_of_tests_is_refused(config: Path, text: str, said: str) -> None:
    (path := config.with_name("odd.yaml")).write_text(text)
    done = run(config, str(path))
    assert done.exit_code == 1
    assert said in str(done.exception)


def test_a_missing_file_and_no_files_are_said(config: Path) -> None:
    assert "there are no tests: expected *.tests.yaml beside" in str(run(config).exception)
    assert "nowhere.yaml cannot be read" in str(run(config, "nowhere.yaml").exception)
    (binary := config.with_name("b.yaml")).write_bytes(b"\xff\xfe")
    assert f"{binary}: " in str(run(config, str(binary)).exception)


@pytest.mark.parametrize(
    ("expected", "found", "paths"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, []),
        ({"a": 1}, {}, ["a"]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, ["a.b[1]"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a"]),
        ({"a": None}, {"a": None}, []),
        ({"a": {}}, {"a": None}, ["a"]),
    ],
)
def test_named_keys_alone_are_compared(expected: Any, found: Any, paths: list[str]) -> None:
    assert [one.path for one in differences(expected, found)] == paths
