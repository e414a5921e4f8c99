"""Warns about odd JMESPath expressions of the config, and collects the field names it uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from consumer.config.checks.contacts import contact_expressions
from consumer.config.checks.expression_tokens import bare_word, oddities, root_of, tokens_of
from consumer.config.checks.findings import Findings
from consumer.config.checks.match_oddities import (
    check_expression_names,
    check_matches,
    keys_in,
    steps_in,
)
from consumer.config.checks.policies import policy_expressions
from consumer.config.checks.result_fields import field_expressions
from consumer.config.document import Path, leaves
from consumer.routing.expressions import compile_value

_NAMES = ("unquoted_identifier", "quoted_identifier")


def check_oddities(findings: Findings) -> None:
    """Add warnings about expressions and patterns to `findings`."""
    expressions = [(path, text) for path, text in event_expressions(findings) if _compiles(text)]
    named = _named(findings, expressions)
    for path, text in expressions:
        others = {name for name, number in named.items() if number > _count(text, name)}
        for message, hint in oddities(text, others):
            scrub = findings.resolved.scrub
            findings.warn(path, scrub(message), scrub(hint))
    for vendor in findings.mapping("vendors"):  # a code is read from an answer, not from an event
        code = findings.text("vendors", vendor, "code")
        for message, hint in oddities(code, ()) if code and _compiles(code) else ():
            findings.warn(("vendors", vendor, "code"), message, hint)
    _bare_words(findings, expressions)
    check_expression_names(findings, expressions, named)
    check_matches(findings, named)


def event_expressions(findings: Findings) -> Iterator[tuple[Path, str]]:
    """Yield every expression into an event, with its path."""
    places: list[Path] = []
    for name in findings.mapping("inputs"):
        places += [("inputs", name, "event", key) for key in ("id", "time")]
        places.append(("inputs", name, "body"))
    for index in findings.routes():
        here: Path = ("routes", index)
        places.append((*here, "for_each"))
        places += [(*here, "recipient", kind) for kind in ("phone", "email")]
        for key in findings.mapping(*here, "data"):
            places.append((*here, "data", key))
            places += [(*here, "data", key, name) for name in findings.mapping(*here, "data", key)]
    places += policy_expressions(findings)
    places += contact_expressions(findings)
    places += field_expressions(findings)
    for path in places:
        text = findings.text(*path)
        if text:
            yield path, text


def _compiles(text: str) -> bool:
    try:
        compile_value(text)
    except ValueError:
        return False
    return True


def _count(text: str, name: str) -> int:
    return sum(token.text == name for token in tokens_of(text) if token.kind in _NAMES)


def _named(findings: Findings, expressions: list[tuple[Path, str]]) -> Counter[str]:
    """Count the names of fields in patterns and expressions."""
    named = Counter({"id": 1, "time": 1})
    for _, text in expressions:
        named.update(token.text for token in tokens_of(text) if token.kind in _NAMES)
    for index in findings.routes():
        for _, key in keys_in(findings.at("routes", index, "match"), ("routes", index, "match")):
            named.update(steps_in(key))
    return named


def _bare_words(findings: Findings, expressions: list[tuple[Path, str]]) -> None:
    """Warn about a single word under `data` that is hardly a field.

    Its case differs from all fields, or it is a value that the route's pattern asks for."""
    roots = Counter(root for _, text in expressions if (root := root_of(text)) is not None)
    capitals = sum(number for root, number in roots.items() if root[:1].isupper())
    usual = capitals * 2 < roots.total()
    for path, text in expressions:
        word = bare_word(text) if path[2:3] == ("data",) else None
        if word is None or roots[word] > 1:
            continue
        asked = {value for _, value in leaves(findings.at(*path[:2], "match"))}
        if (usual and word[:1].isupper()) or word in asked:
            message = f"{findings.resolved.scrub(word)} is a field here, not text"
            findings.warn(path, message, f"text has single quotes within double ones: \"'{word}'\"")
