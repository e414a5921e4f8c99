"""What a config wants of plugins is checked when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from consumer import plugins
from consumer.errors import ConfigError
from consumer.plugins import Plugin
from consumer.policy import rule_plugins
from consumer.policy.own_rules import Predicate
from tests.unit.config.support import edited, load_text

POLICY = "policy: {expire_after: 72h}"


def closed(options: Mapping[str, Any]) -> Predicate:
    """A rule's factory."""
    if "stores" not in options:
        raise ValueError("expected `stores`")
    names = frozenset(options["stores"])
    return lambda candidate: candidate.body.get("store") in names


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One plugin that works, and one of each group that is left out."""
    monkeypatch.setitem(rule_plugins.RULE_PLUGINS, "closed", closed)
    known = {
        (group, "broken", "acme 1.0"): Plugin(group, "broken", "acme 1.0", "it has no license")
        for group in ("formats", "vendors", "rules", "stores")
    }
    monkeypatch.setattr(plugins, "_KNOWN", known)


def problems(text: str, folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load_text(text, folder)
    return [f"{problem.path}: {problem.message}" for problem in refused.value.problems]


def with_rules(rules: str) -> str:
    return edited(POLICY, f"policy: {{rules: {rules}}}")


def test_rule_that_takes_its_options_is_accepted(tmp_path: Path) -> None:
    config = load_text(with_rules("{closed: {stores: ['7']}}"), tmp_path)
    assert config.policy_of(config.routes[0]).rules == {"closed": {"stores": ["7"]}}


def test_options_that_the_rule_refuses_are_refused_with_its_words(tmp_path: Path) -> None:
    assert problems(with_rules("{closed: {store: '7'}}"), tmp_path) == [
        "routes[0].policy.rules.closed: refused by the plugin: expected `stores`"
    ]


def test_other_error_of_a_rule_is_named_by_its_type(tmp_path: Path) -> None:
    assert problems(with_rules("{closed: {stores: 7}}"), tmp_path) == [
        "routes[0].policy.rules.closed: refused by the plugin: TypeError"
    ]


def test_rule_that_is_not_installed_is_refused(tmp_path: Path) -> None:
    assert problems(with_rules("{closd: {}}"), tmp_path) == [
        "routes[0].policy.rules.closd: no plugin for rules is called 'closd'"
    ]


def test_plugin_that_is_left_out_is_named_where_the_config_wants_it(tmp_path: Path) -> None:
    said = problems(with_rules("{broken: {}}"), tmp_path)
    plugin = "the rules plugin 'broken' of the package acme 1.0"
    expected = f"{plugin} is left out: it has no license"
    assert said == [f"routes[0].policy.rules.broken: {expected}"]


def test_plugin_that_is_left_out_is_warned_of(tmp_path: Path) -> None:
    """Also where the config does not want it: the operator installed it for something."""
    found = [warning.message for warning in load_text(with_rules("{}"), tmp_path).warnings]
    assert sum("is left out: it has no license" in message for message in found) == 4
