"""Cross checks of contact rules and feeds: names that they refer to, expressions, topics."""

from __future__ import annotations

from collections.abc import Iterator

from consumer.config.checks.findings import Findings
from consumer.config.checks.messages import one_of
from consumer.config.document import Path
from consumer.config.topic_names import Topics
from consumer.policy.contacts.contact_rule import PERSON

FEEDS = ("suppressions", "responses", "deliveries")
_SECTIONS = ("campaigns", "vendors")
_OF_FEEDS = ("address", "time", "scope", "until", "remove", "campaign", "route", "hard_bounce")
_IDENTITIES = ("id", "email", "phone", "household")


def check_contacts(findings: Findings) -> None:
    """Add problems of contact rules and feeds to `findings`."""
    for name in findings.mapping("contact_rules"):
        _rule(findings, ("contact_rules", name))
    for path in _feed_expressions():
        findings.expression(*path)
    for path in _counted(findings):
        findings.expression(*path)
    for name in FEEDS:
        _feed(findings, ("feeds", name))
    _keys(findings)


def contact_expressions(findings: Findings) -> Iterator[Path]:
    """Yield the paths of all expressions into events: of rules, paces and duplicates."""
    yield from _counted(findings)


def _counted(findings: Findings) -> Iterator[Path]:
    for name in findings.mapping("contact_rules"):
        for path, text in findings.texts("contact_rules", name, "per"):
            if text != PERSON:
                yield path
    policies: list[Path] = [("policies", name) for name in findings.mapping("policies")]
    policies += [("routes", index, "policy") for index in findings.routes()]
    for here in policies:
        yield (*here, "deduplicate", "by")
        yield (*here, "pace", "per")
        yield from (path for path, _ in findings.texts(*here, "pace", "per"))


def _feed_expressions() -> Iterator[Path]:
    """Yield the paths of expressions into the records of feeds."""
    for name in FEEDS:
        yield from (("feeds", name, key) for key in _OF_FEEDS)
        yield from (("feeds", name, "person", key) for key in _IDENTITIES)


def _rule(findings: Findings, here: Path) -> None:
    for key in ("applies_to", "counts"):
        for section in _SECTIONS:
            for path, name in findings.texts(*here, key, section):
                findings.names(path, name, section)
        _routes(findings, (*here, key))
    for path, name in findings.texts(*here, "instead_of"):
        findings.names(path, name, "contact_rules")


def _routes(findings: Findings, here: Path) -> None:
    routes = findings.routes()
    names = [name for index in routes if (name := findings.text("routes", index, "name"))]
    tags = [tag for index in routes for _, tag in findings.texts("routes", index, "tags")]
    for key, known in (("routes", names), ("tags", tags)):
        for path, name in findings.texts(*here, key):
            if routes and name not in known:
                shown = findings.resolved.scrub(name)
                what = "no route is called" if key == "routes" else "no route has the tag"
                findings.problem(path, f"{what} '{shown}'", one_of(shown, known))


def _feed(findings: Findings, here: Path) -> None:
    for place in (here, (*here, "person")):
        findings.region(*place, "phone_region")
    own = Topics(findings.text("application_id") or "")
    inputs = {
        topic
        for name in findings.mapping("inputs")
        for _, topic in findings.texts("inputs", name, "topics")
    }
    for path, topic in findings.texts(*here, "topics"):
        if own.application_id and own.owns(topic):
            message = f"topics that begin with '{own.application_id}.' are the program's own"
            findings.problem(path, message)
        elif topic in inputs:
            findings.problem(path, "is an input's topic: its events are no records of a feed")


def _keys(findings: Findings) -> None:
    """Refuse two keys of pseudonyms under one id."""
    current = findings.text("pseudonym", "key_id")
    keys: list[tuple[Path, str]] = []
    if current is not None:
        keys.append((("pseudonym", "key_id"), current))
    previous = findings.at("pseudonym", "previous")
    for index in range(len(previous) if isinstance(previous, list) else 0):
        path: Path = ("pseudonym", "previous", index, "key_id")
        if (key_id := findings.text(*path)) is not None:
            keys.append((path, key_id))
    findings.repeated(keys, "the id of another key")
