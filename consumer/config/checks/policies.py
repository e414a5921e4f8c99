"""Cross checks of the rules before a survey: names that they refer to, expressions, patterns."""

from __future__ import annotations

from collections.abc import Iterator

from consumer.config.checks.findings import Findings
from consumer.config.document import Path
from consumer.policy.schedule import PHONE
from consumer.policy.zones import known_zone

_WORDS = ("person", "event")
_IDENTITIES = ("id", "email", "phone", "household")


def check_policies(findings: Findings) -> None:
    """Add problems of policies, exclusions, persons and splits to `findings`."""
    for name in findings.mapping("policies"):
        _policy(findings, ("policies", name))
    for index in findings.routes():
        here: Path = ("routes", index)
        findings.refers((*here, "policy"), "policies")
        findings.refers((*here, "policy", "base"), "policies")
        _policy(findings, (*here, "policy"))
        for path in _splits(findings, here):
            _chance(findings, path)
    for name in findings.mapping("inputs"):
        _person(findings, ("inputs", name, "person"))
    _excluded(findings)
    _unused(findings)


def policy_expressions(findings: Findings) -> Iterator[Path]:
    """Yield the paths of all expressions of policies and persons."""
    policies: list[Path] = [("policies", name) for name in findings.mapping("policies")]
    policies += [("routes", index, "policy") for index in findings.routes()]
    for here in policies:
        for path, text in findings.texts(*here, "timezone"):
            if text != PHONE:
                yield path
        yield from ((*here, "consent", channel) for channel in findings.mapping(*here, "consent"))
        yield (*here, "customer_since", "at")
        yield from (
            (*here, chance, "by")
            for chance in ("sample", "holdout")
            if findings.text(*here, chance, "by") not in _WORDS
        )
    for name in findings.mapping("inputs"):
        yield from (("inputs", name, "person", key) for key in _IDENTITIES)


def _policy(findings: Findings, here: Path) -> None:
    for path, text in findings.texts(*here, "timezone"):
        if known_zone(text):
            hint = f"write \"'{text}'\", with quotes of its own"
            findings.problem(path, "is read as JMESPath, not as the name of a zone", hint)
        elif text != PHONE:
            findings.expression(*path)
    for channel in findings.mapping(*here, "consent"):
        findings.expression(*here, "consent", channel)
    findings.expression(*here, "customer_since", "at")
    for chance in ("sample", "holdout"):
        _chance(findings, (*here, chance))


def _chance(findings: Findings, here: Path) -> None:
    if findings.text(*here, "by") not in _WORDS:
        findings.expression(*here, "by")


def _splits(findings: Findings, here: Path) -> list[Path]:
    entries = findings.at(*here, "send")
    found = enumerate(entries if isinstance(entries, list) else ())
    return [(*here, "send", index) for index, entry in found if isinstance(entry, dict)]


def _person(findings: Findings, here: Path) -> None:
    for key in _IDENTITIES:
        findings.expression(*here, key)
    findings.region(*here, "phone_region")


def _excluded(findings: Findings) -> None:
    if findings.at("exclude", "match") == {}:
        hint = "write what such events have, or leave it out"
        findings.problem(("exclude", "match"), "would exclude every event", hint)
    for path, text in findings.texts("exclude", "emails"):
        if not set("@*") & set(text):
            findings.warn(path, "is no e-mail address and has no *: no address equals it")
    for path, text in findings.texts("exclude", "phones"):
        if not text.strip().startswith(("+", "*")):
            message = "begins with neither + nor *: numbers are compared as in +905321234567"
            findings.warn(path, message)
    findings.pattern("exclude", "match")


def _unused(findings: Findings) -> None:
    used = {findings.text("routes", index, "policy") for index in findings.routes()}
    used |= {findings.text("routes", index, "policy", "base") for index in findings.routes()}
    for name in findings.mapping("policies"):
        if name not in used:
            findings.warn(("policies", name), "nothing uses this")
