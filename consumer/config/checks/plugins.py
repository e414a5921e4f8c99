"""Checks of what a config wants of plugins: that it is there, and takes its options."""

from __future__ import annotations

from collections.abc import Iterator

from consumer.config.checks.findings import Findings
from consumer.config.checks.messages import one_of
from consumer.config.document import Path
from consumer.plugins import known_plugins
from consumer.policy.rule_plugins import RULE_PLUGINS


def check_plugins(findings: Findings) -> None:
    """Add to `findings` plugins that are left out, and own rules that are unknown or refuse their
    options."""
    left_out = {(one.group, one.name): one for one in known_plugins() if one.problem}
    for one in left_out.values():
        findings.warn((), f"the {one} is left out: {one.problem}")
    for group, path, name in _wanted(findings):
        if plugin := left_out.get((group, name)):
            findings.problem(path, f"the {plugin} is left out: {plugin.problem}")
        elif group == "rules":
            _own_rule(findings, path, name)


def _wanted(findings: Findings) -> Iterator[tuple[str, Path, str]]:
    """Yield what names a plugin, or may: its group, the place, the name."""
    paths: list[tuple[str, Path]] = [
        *(("vendors", ("vendors", name, "type")) for name in findings.mapping("vendors")),
        *(("formats", ("inputs", name, "format")) for name in findings.mapping("inputs")),
        ("stores", ("contacts", "store", "name")),
    ]
    for group, path in paths:
        if name := findings.text(*path):
            yield group, path, name
    policies: list[Path] = [("policies", name) for name in findings.mapping("policies")]
    policies += [("routes", index, "policy") for index in findings.routes()]
    for here in policies:
        for name in findings.mapping(*here, "rules"):
            yield "rules", (*here, "rules", name), name


def _own_rule(findings: Findings, path: Path, name: str) -> None:
    if name not in RULE_PLUGINS:
        shown = findings.resolved.scrub(name)
        hint = f"{one_of(shown, RULE_PLUGINS)}; docs/plugins.md says how to add one"
        findings.problem(path, f"no plugin for rules is called '{shown}'", hint)
    elif not any(place[: len(path)] == path for place in findings.resolved.open):
        try:
            RULE_PLUGINS[name](findings.mapping(*path))
        except Exception as error:  # noqa: BLE001 - the code is another's: no failure ends the check
            said = str(error) if isinstance(error, ValueError) else type(error).__name__
            findings.problem(path, findings.resolved.scrub(f"refused by the plugin: {said}"))
