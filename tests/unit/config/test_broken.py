"""A bad config is refused with file, line, path, what is wrong and what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from consumer.config import load
from consumer.errors import ConfigError, Problem
from tests.unit.config.support import HERE, SECRETS, edited, load_text

BROKEN = YAML(typ="safe", pure=True).load(HERE / "broken.yaml")
EDITS, FILES = BROKEN["edits"], BROKEN["files"]


def shown(problems: tuple[Problem, ...], file: str) -> list[str]:
    """The problems as an operator reads them, without the file's name."""
    assert {problem.file for problem in problems} == {file}
    return [str(problem).removeprefix(f"{file}:") for problem in problems]


@pytest.mark.parametrize("name", EDITS)
def test_every_mistake_is_named_with_its_line(name: str, tmp_path: Path) -> None:
    edit = EDITS[name]
    with pytest.raises(ConfigError) as refused:
        load_text(edited(edit["old"], edit["new"]), tmp_path)
    expected = [problem.replace("{folder}", str(tmp_path)) for problem in edit["problems"]]
    assert shown(refused.value.problems, "config.yaml") == expected
    assert not any(secret in str(refused.value) for secret in SECRETS)


@pytest.mark.parametrize("name", FILES)
def test_all_mistakes_of_a_file_are_reported_together(name: str) -> None:
    path = HERE / "broken" / name
    with pytest.raises(ConfigError) as refused:
        load(path, env={})
    expected = [problem.replace("{folder}", str(path.parent)) for problem in FILES[name]]
    assert shown(refused.value.problems, str(path)) == expected


def test_every_broken_file_is_tested() -> None:
    assert {path.name for path in (HERE / "broken").iterdir()} == set(FILES)
