"""Plugins: which entry points are taken, and what is said of the others."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from consumer import plugins
from consumer.plugins import known_plugins, lacks, load_plugins, not_callable


def point(name: str, value: str = "json:dumps") -> EntryPoint:
    return EntryPoint(name, value, "survey_dispatcher.rules")


@pytest.fixture(autouse=True)
def no_plugins_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "_KNOWN", {})


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    """The entry points of all installed packages."""
    points: list[EntryPoint] = []
    monkeypatch.setattr(plugins, "_all_entry_points", lambda: EntryPoints(points))
    return points


def problems() -> dict[str, str]:
    return {plugin.name: plugin.problem for plugin in known_plugins()}


def test_usable_plugin_is_found_by_its_name(installed: list[EntryPoint]) -> None:
    installed += [point("fine"), EntryPoint("other", "json:loads", "survey_dispatcher.vendors")]
    assert list(load_plugins("rules", (), not_callable)) == ["fine"]
    assert problems() == {"fine": ""}


def test_plugin_that_cannot_be_imported_is_left_out(installed: list[EntryPoint]) -> None:
    installed += [point("gone", "no_such_module:rule"), point("typo", "json:no_such_name")]
    assert load_plugins("rules", (), not_callable) == {}
    assert "cannot be imported from no_such_module:rule" in problems()["gone"]
    assert "AttributeError" in problems()["typo"]


def test_plugin_replaces_nothing_of_the_program(installed: list[EntryPoint]) -> None:
    installed.append(point("pisano"))
    assert load_plugins("rules", ("pisano",), not_callable) == {}
    assert "itself" in problems()["pisano"]


def test_name_of_two_packages_is_used_for_neither(installed: list[EntryPoint]) -> None:
    installed += [point("same"), point("same", "json:loads")]
    assert load_plugins("rules", (), not_callable) == {}
    assert "another package" in problems()["same"]


def test_object_that_the_group_cannot_use_is_left_out(installed: list[EntryPoint]) -> None:
    installed.append(point("words", "json:__doc__"))
    assert load_plugins("rules", (), not_callable) == {}
    assert problems()["words"] == "it is not callable"


def test_plugin_is_named_with_its_package() -> None:
    known = plugins.Plugin("rules", "fine", "acme 1.0")
    assert str(known) == "rules plugin 'fine' of the package acme 1.0"


def test_missing_attributes_are_named() -> None:
    assert lacks("text", ("upper", "build", "read")) == "it has no build, read"
    assert lacks("text", ("upper",)) is None
