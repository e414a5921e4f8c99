"""Where a command takes its config from, and the JSON that it prints for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from consumer.cli.main import app
from consumer.kafka import topics
from consumer.kafka.clients import EmbeddedBroker
from consumer.kafka.lane_logs import LaneView
from consumer.kafka.stopped_partitions import StopReason
from consumer.operations import view
from consumer.operations.inputs import InputView
from consumer.records.checkpoint import Owner
from tests.unit.config.support import ENV, RADAR_PASSWORD, VALID

OPTIONAL = {"produce", "sandbox", "simulate", "status"}
"""What these do without --config needs none: samples, synthetic traffic, a running process."""


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The valid config outside of the working directory, with its secrets."""
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SURVEY_DISPATCHER_CONFIG", raising=False)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    return written(tmp_path / "elsewhere" / "surveys.yaml")


def written(path: Path, text: str = VALID) -> Path:
    path.write_text(text, encoding="utf-8")
    (path.parent / "radar-password").write_text(RADAR_PASSWORD, encoding="utf-8")
    return path


def run(*words: str | Path, typed: str | bytes | None = None, code: int = 0) -> Result:
    done = CliRunner(env={"COLUMNS": "500"}).invoke(app, [*map(str, words)], input=typed)
    assert done.exit_code == code, done.output
    return done


def parsed(*words: str | Path, typed: str | bytes | None = None, code: int = 0) -> Any:
    done = run(*words, "--json", typed=typed, code=code)
    assert done.stderr == ""
    return json.loads(done.stdout)


# -- where the config comes from ------------------------------------------------------------------


@pytest.mark.parametrize("words", [("FILE",), ("-c", "FILE"), ("--config", "FILE")])
def test_a_file_is_named_by_argument_or_option(words: tuple[str, ...], config: Path) -> None:
    given = [word.replace("FILE", str(config)) for word in words]
    assert f"{config}: valid" in run("validate", *given).stdout


def test_argument_and_option_at_once_are_refused(config: Path) -> None:
    assert "choose one" in run("validate", config, "-c", config, code=2).output


def test_the_argument_goes_before_the_variable(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SURVEY_DISPATCHER_CONFIG", "gone.yaml")
    assert f"{config}: valid" in run("validate", config).stdout


def test_the_default_is_the_variable_then_routing_yaml(
    config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written(tmp_path / "routing.yaml")
    assert "routing.yaml: valid" in run("validate").stdout
    monkeypatch.setenv("SURVEY_DISPATCHER_CONFIG", str(config))
    assert f"{config}: valid" in run("validate").stdout


def commands(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in tree.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


def test_every_command_has_the_same_default() -> None:
    found = {
        name: (param.default, param.envvar)
        for name, command in commands(get_command(app))
        for param in command.params
        if "--config" in param.opts
    }
    assert len(found) > 12
    assert set(OPTIONAL) <= set(found)
    defaults = {each for name, each in found.items() if name not in OPTIONAL}
    assert {(str(path), variable) for path, variable in defaults} == {
        ("routing.yaml", "SURVEY_DISPATCHER_CONFIG")
    }


# -- standard input -------------------------------------------------------------------------------


def test_a_dash_reads_standard_input(tmp_path: Path) -> None:
    """Files that it names count from the working directory."""
    written(tmp_path / "not-read.yaml", "")
    assert "valid; config version" in run("validate", "-c", "-", typed=VALID).stdout
    assert "<stdin>: valid; config version" in run("validate", "-", typed=VALID).stdout


def test_other_commands_read_standard_input_too() -> None:
    assert parsed("validate", "--no-secrets", "-", typed=VALID)["file"] == "<stdin>"
    said = run("topics", "-c", "-", "--format", "cli", typed=VALID).stdout
    assert "--topic surveys.results" in said


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        (VALID.replace("type: pisano", "type: pisno"), "<stdin>:"),
        (VALID.replace("{bootstrap.servers", "{sesion.timeout.ms: '6', bootstrap.servers"), ":3: "),
        ("x" * (2**20 + 1), "<stdin>:1: (file): has more than 1048576 bytes"),
        (VALID.encode("utf-16"), "<stdin>:1: (file): is UTF-16 text: save it as UTF-8"),
        (b"", "<stdin>:1: "),
    ],
)
def test_problems_of_standard_input_have_their_line(typed: str | bytes, problem: str) -> None:
    done = CliRunner().invoke(app, ["validate", "--no-secrets", "-"], input=typed)
    assert problem in str(done.exception)
    assert str(done.exception).startswith("<stdin>:")


# -- JSON -----------------------------------------------------------------------------------------


def test_a_valid_config_as_json(config: Path) -> None:
    found = parsed("validate", config)
    version = found.pop("config_version")
    assert isinstance(version, str)
    assert version in run("validate", config).stdout
    assert found == {
        "file": str(config),
        "valid": True,
        "problems": [],
        "warnings": [],
        "lanes": ["pisano-cloud", "radar"],
        "campaigns": ["purchase-sms", "purchase-email", "visit"],
        "routes": ["store-purchase", "web-visit"],
        "tables": {},
    }


def test_the_tables_of_a_valid_config_are_counted(config: Path) -> None:
    (config.parent / "stores.csv").write_text("id,city\n1,a\n2,\n")
    config.write_text(config.read_text() + "tables: {s: {file: stores.csv, key: id}}\n")
    assert parsed("validate", config)["tables"] == {"s": {"rows": 2, "columns": ["id", "city"]}}
    assert "table s: 2 rows, columns: id, city\n" in run("validate", config).stdout


def test_an_invalid_config_as_json_with_exit_code_2(config: Path) -> None:
    written(config, VALID.replace("type: pisano", "type: pisno"))
    found = parsed("validate", config, code=2)
    assert (found["valid"], found["warnings"]) == (False, [])
    (problem,) = found["problems"]
    assert problem.keys() == {"file", "line", "path", "message", "hint"}
    assert (problem["file"], problem["path"]) == (str(config), "vendors.pisano-tr.type")
    assert VALID.splitlines()[problem["line"] - 1].strip() == "type: pisano"


def test_warnings_are_in_the_json_and_not_on_stderr(config: Path) -> None:
    written(
        config, VALID.replace("      channel: pos\n", "      channel: pos\n      store: 0042\n")
    )
    told = run("validate", config).stderr
    warnings = parsed("validate", config)["warnings"]
    assert [f"warning: {each['file']}:{each['line']}" in told for each in warnings] == [True]


def test_topics_as_json_with_exit_code_3(config: Path) -> None:
    broker = EmbeddedBroker()
    address = f'{{bootstrap.servers: "{broker.bootstrap}"}}'
    text = VALID.splitlines()
    text[2] = f"kafka: {address}"
    written(config, "\n".join(text))
    found = parsed("topics", "-c", config, code=3)
    assert (found["ok"], found["created"], found["changed"]) == (False, [], [])
    assert "topic surveys.results is missing" in found["problems"]
    results = next(topic for topic in found["topics"] if topic["name"] == "surveys.results")
    assert results.keys() == {"name", "partitions", "config"}
    assert results["partitions"] == 6


def test_topics_that_are_as_they_must_be_as_json(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embedded broker knows no administration of topics, so its answer is made up."""
    broker = EmbeddedBroker()
    text = VALID.splitlines()
    text[2] = f'kafka: {{bootstrap.servers: "{broker.bootstrap}"}}'
    written(config, "\n".join(text))
    monkeypatch.setattr(topics, "problems", lambda *_: [])
    found = parsed("topics", "-c", config)
    assert (found["ok"], found["problems"]) == (True, [])


def test_topics_for_tools_and_programs_exclude_each_other(config: Path) -> None:
    assert "choose one" in run("topics", "-c", config, "--format", "cli", "--json", code=2).output


def test_a_lane_as_json() -> None:
    owner = Owner(instance="replica-1", config_version="abc", at=1_700_000_000.0)
    whole = LaneView("pisano-cloud", 5, 12, 6, 2, owner, "abc")
    assert view.lane_as_json(whole, True, 1) == {
        "lane": "pisano-cloud",
        "in_config": True,
        "base": 5,
        "end": 12,
        "waiting": 6,
        "in_flight": 2,
        "members": 1,
        "owner": {"instance": "replica-1", "since": "2023-11-14T22:13:20.000Z"},
        "config_version": "abc",
    }
    unknown = view.lane_as_json(LaneView("old", None, 12, 6), False, 0)
    assert (unknown["base"], unknown["owner"], unknown["config_version"]) == (None, None, None)


def test_an_input_partition_as_json() -> None:
    stopped = InputView("pos", 0, 4, 7, 9, StopReason.OUT_OF_RANGE)
    assert view.input_as_json(stopped) == {
        "topic": "pos",
        "partition": 0,
        "offset": 4,
        "log_begin": 7,
        "log_end": 9,
        "lag": 5,
        "stopped": "out_of_range",
        "held_at": None,
    }
    never = view.input_as_json(InputView("pos", 1, -1001, 0, 9))
    assert (never["offset"], never["lag"], never["stopped"]) == (None, None, None)
