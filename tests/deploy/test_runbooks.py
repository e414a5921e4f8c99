"""The runbooks: one for each alert, and all that they name exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from consumer.cli.main import app
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.result import Reason
from tests.deploy.monitored import RUNBOOKS, alerts, panels, series

FILES = sorted(RUNBOOKS.glob("*.md"))
SOURCE = Path(__file__).parents[2] / "consumer"
_COMMAND = re.compile(r"(?:^ {4,}|`)(survey-dispatcher [^`\n]*)", re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")


def texts() -> dict[str, str]:
    """Everything that tells an operator what to do, by its name."""
    found = {path.stem: path.read_text() for path in FILES}
    for name, alert in alerts().items():
        said = alert["annotations"]["description"]
        for label in ("lane", "campaign"):
            said = said.replace(f"{{{{ $labels.{label} }}}}", "NAME")
        found[f"{name}'s description"] = said
    return found


def test_each_alert_has_a_runbook_of_its_name_and_no_runbook_is_left_over() -> None:
    assert {path.stem for path in FILES} == alerts().keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_runbook_says_what_it_means_what_to_do_and_when_it_is_over(path: Path) -> None:
    text = path.read_text()
    assert text.startswith(f"# {path.stem}\n")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == ["Meaning", "Impact", "Diagnosis", "Mitigation", "It is over"]
    parts = re.split(r"^## .*$", text, flags=re.MULTILINE)[1:]
    assert all(len(part.strip()) > 40 for part in parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_runbook_names_the_alerts_panel_and_others_that_exist(path: Path) -> None:
    titles = {panel["title"]: board for board, found in panels().items() for panel in found}
    first, *others = _BOLD.findall(path.read_text())
    assert first == alerts()[path.stem]["annotations"]["panel"]
    assert f"**{first}** ({titles[first]})" in path.read_text()
    assert not set(others) - titles.keys()


@pytest.mark.parametrize("name", texts())
def test_commands_that_an_operator_is_told_exist(name: str) -> None:
    """With these options, and arguments that the command takes."""
    for line in _COMMAND.findall(texts()[name]):
        _understood(shlex.split(line)[1:])


def _understood(words: list[str]) -> None:
    """Raises what the command line would say of a command, option or value that there is not."""
    command = typer.main.get_command(app)
    while isinstance(command, TyperGroup):
        name, *words = words
        assert name in command.commands, f"there is no command {name!r}"
        command = command.commands[name]
    command.make_context(command.name, list(words))


def test_what_runbooks_write_as_code_exists() -> None:
    """Log events, metrics, reasons, other alerts: each word with an underscore or capitals."""
    source = "\n".join(path.read_text() for path in SOURCE.rglob("*.py"))
    known = {*series(), *alerts(), *Reason, *DeadLetterReason}
    for path in FILES:
        for word in _CODE.findall(path.read_text()):
            if re.fullmatch(r"[a-z]+(_[a-z]+)+|([A-Z][a-z]+){2,}", word):
                there = word in known or re.search(rf"\b{word}\b", source)
                assert there, f"{path.name}: nothing is called {word}"


def test_runbooks_name_no_metric_that_is_gone() -> None:
    for path in FILES:
        named = set(re.findall(r"survey_dispatcher_\w+", path.read_text()))
        assert named <= series().keys()
