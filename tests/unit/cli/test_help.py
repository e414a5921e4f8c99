"""Help: fast, grouped by purpose, with exit code 0; completion and the version."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from consumer import __version__
from consumer.cli.main import app

COMMAND_TREE: Any = get_command(app)
FAST = {"annotated_doc", "consumer", "shellingham", "typer", "typing_extensions"}
"""Packages that help may import: the command line itself."""

LIGHT = {"consumer.cli", "consumer.errors", "consumer.runtime"}
"""Packages of the program that help may import."""

SHOW_ALL = """
import json, sys
before = set(sys.modules)  # a distribution's own, as sitecustomize
from typer.testing import CliRunner
from consumer.cli.main import app
for words in json.loads(sys.argv[1]):
    done = CliRunner().invoke(app, [*words, "--help"])
    assert done.exit_code == 0, (words, done.output)
print(json.dumps([name for name in sys.modules.keys() - before
    if getattr(sys.modules[name], "__file__", None)]))
"""


def commands(tree: Any = COMMAND_TREE, path: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """Every command and group with its words."""
    yield path, tree
    for name, command in getattr(tree, "commands", {}).items():
        yield from commands(command, (*path, name))


EVERY = [words for words, _ in commands()]
GROUPS = [words for words, command in commands() if hasattr(command, "commands")]


def run(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "100"}).invoke(app, words)


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_help_with_exit_code_0(words: tuple[str, ...], option: str) -> None:
    done = run(*words, option)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: ")


@pytest.mark.parametrize("words", GROUPS, ids=" ".join)
def test_a_bare_group_shows_its_help(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == run(*words, "--help").stdout


def test_help_groups_commands_by_purpose() -> None:
    sections = dict(re.findall(r"^(\w+):\n((?:  .*\n)+)", run("--help").stdout, re.MULTILINE))
    names = {
        title: [line[2:].split("  ")[0] for line in text.splitlines() if line[2] != " "]
        for title, text in sections.items()
    }
    assert list(names) == ["Options", "Run", "Check", "Look", "Mend", "Try"]
    assert names["Run"] == ["run", "init", "send-csv"]
    assert names["Check"] == ["validate", "doctor", "test", "diff", "topics", "schemas"]
    assert names["Look"] == [
        "status",
        "explain",
        "results tail",
        "results find",
        "results summary",
        "results export",
        "dlq list",
        "dlq show",
        "lanes list",
        "rules try",
        "contacts show",
        "suppress list",
        "inputs list",
    ]
    assert "dlq replay" in names["Mend"]
    assert names["Try"] == ["simulate", "demo", "sandbox", "produce"]


def test_help_lists_every_command_once() -> None:
    listed = run("--help").stdout.splitlines()
    for words in EVERY:
        if words not in GROUPS:
            name = f"  {' '.join(words)}  "
            assert len([line for line in listed if line.startswith(name)]) == 1, words


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_help_text_is_a_sentence_in_plain_english(words: tuple[str, ...]) -> None:
    command = dict(commands())[words]
    texts = {"itself": command.help}
    texts |= {param.name: param.help for param in command.params}
    for name, text in texts.items():
        assert text, name
        assert text[0].isupper(), f"{name}: {text}"
        assert text.rstrip().endswith("."), f"{name}: {text}"
        assert not set(text.lower().split()) & {"who", "whom", "nobody", "somebody", "anew"}, text


def test_help_imports_the_command_line_alone() -> None:
    """No Kafka, HTTP, YAML, log or terminal library. Imports are checked, and no time."""
    done = subprocess.run(
        [sys.executable, "-c", SHOW_ALL, json.dumps(EVERY)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    imported = json.loads(done.stdout)
    ours = {name for name in imported if name.startswith("consumer.")}
    assert {name for name in ours if ".".join(name.split(".")[:2]) not in LIGHT} == set()
    roots = {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names)
    assert {name for name in roots if not name.startswith("_")} - FAST == set()


def test_a_check_imports_no_service_and_no_demo() -> None:
    """A command imports what it needs, when it is called."""
    config = Path(__file__).parents[1] / "config" / "valid.yaml"
    script = SHOW_ALL.replace('[*words, "--help"]', "words")
    words = json.dumps([["validate", "--no-secrets", str(config)]])
    done = subprocess.run(
        [sys.executable, "-c", script, words], capture_output=True, text=True, check=True
    )
    imported = set(json.loads(done.stdout))
    assert "consumer.config.load" in imported
    others = {"runtime.process", "demo", "sandbox", "operations", "docgen", "simulate"}
    assert imported & {f"consumer.{name}" for name in others} == set()
    assert imported & {"uvicorn", "starlette", "rich"} == set()


def test_version_is_told() -> None:
    done = run("--version")
    assert (done.exit_code, done.stdout) == (0, f"survey-dispatcher {__version__}\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_shown_for_a_shell(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer._completion_shared._get_shell_name", lambda: shell)
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: shell)
    done = CliRunner().invoke(app, ["--show-completion"], prog_name="survey-dispatcher")
    assert done.exit_code == 0
    assert "_SURVEY_DISPATCHER_COMPLETE" in done.stdout


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("survey-dispatcher dlq ", ["list", "show", "replay", "continue"]),
        ("survey-dispatcher run --role ", ["all", "router", "sender"]),
        ("survey-dispatcher resend --status f", ["failed"]),
        ("survey-dispatcher dlq list --reason no_t", ["no_time"]),
    ],
)
def test_commands_options_and_values_are_completed(line: str, expected: list[str]) -> None:
    asked = {"_SURVEY_DISPATCHER_COMPLETE": "complete_bash", "COMP_WORDS": line}
    words = line.split(" ")
    done = CliRunner(env={**asked, "COMP_CWORD": str(len(words) - 1)}).invoke(
        app, [], prog_name="survey-dispatcher"
    )
    assert done.stdout.split() == expected
