"""Compares a config with recorded events of one input: which fields does it misspell?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Final

from consumer.config.checks.expression_oddities import event_expressions
from consumer.config.checks.findings import Findings
from consumer.config.checks.messages import nearest
from consumer.config.document import Path, Source
from consumer.config.interpolate import interpolate
from consumer.config.models import Config
from consumer.config.source import parse
from consumer.config.texts import read_text
from consumer.errors import EventError, OperationError, Problem
from consumer.operations.event_fields.shape import Shape
from consumer.operations.event_fields.walk import (
    MissingField,
    items_of,
    missing_in_expression,
    missing_in_pattern,
)
from consumer.records.input_record import InputRecord
from consumer.routing.expressions import ITEM
from consumer.wiring.build import build_router, build_vendors

_SHARED: Final = frozenset({"policies", "contact_rules", "results"})
"""Sections about the events of all inputs: compared where there is one input."""


@dataclass(slots=True)
class Compared:
    """`events`: how many were read. `warnings`: what the config and they do not share."""

    events: int = 0
    warnings: list[Problem] = field(default_factory=list)


def compare(path: FilePath, config: Config, records: Iterable[InputRecord]) -> Compared:
    """Compare the config at `path` with the records of one topic. Raises OperationError if there
    are none."""
    source = parse(read_text(path), str(path))
    findings = Findings(source, interpolate(source, env={}, base=path.parent, secrets=False))
    found, shape, unread = Compared(), Shape(), Counter[str]()
    topic = ""
    inputs = build_router(config, build_vendors(config)).inputs
    for record in records:
        topic, found.events = record.topic, found.events + 1
        decoder = inputs[topic].decoder
        try:
            payload = decoder.load(record)
            if payload is not None:
                shape.add(payload.body)
                decoder.identify(payload)
        except EventError as error:
            unread[error.reason.value] += 1
    if not found.events:
        raise OperationError("there are no recorded events to compare with")
    (name,) = [name for name, entry in config.inputs.items() if topic in entry.topics]
    found.warnings += _unread(source, name, unread, found.events)
    if shape.fields:
        found.warnings += _missing(findings, name, shape, alone=len(config.inputs) == 1)
    found.warnings.sort(key=lambda problem: problem.line)
    return found


def _unread(source: Source, name: str, unread: Counter[str], number: int) -> Iterator[Problem]:
    if unread:
        listed = ", ".join(f"{reason} {count:,}" for reason, count in unread.most_common())
        message = f"{unread.total():,} of {number:,} recorded events would become dead letters"
        yield source.problem(("inputs", name), message, listed)


def _missing(findings: Findings, name: str, events: Shape, *, alone: bool) -> Iterator[Problem]:
    source = findings.source
    for path, text in event_expressions(findings):
        if _is_about(findings, path, name, alone=alone):
            for missing in missing_in_expression(text, _events_at(findings, path, events)):
                yield _problem(source, path, missing)
    for index in findings.routes():
        here: Path = ("routes", index, "match")
        if findings.text("routes", index, "input") == name:
            for place, missing in missing_in_pattern(findings.mapping(*here), events, here):
                yield _problem(source, place, missing)


def _is_about(findings: Findings, path: Path, name: str, *, alone: bool) -> bool:
    """Tell whether an expression is about events of this input, as its routes see them."""
    if path[0] == "routes":
        return findings.text("routes", path[1], "input") == name
    if path[0] == "inputs":
        return path[1] == name and path[2] != "body"  # that one opens the envelope
    return alone and path[0] in _SHARED


def _events_at(findings: Findings, path: Path, events: Shape) -> Shape:
    """Return the events as an expression sees them: of a route with `for_each` with an item."""
    listed = findings.text(*path[:2], "for_each") if path[0] == "routes" else None
    return events if not listed else events.with_field(ITEM, items_of(listed, events))


def _problem(source: Source, path: Path, missing: MissingField) -> Problem:
    hint = nearest(missing.name, missing.beside)
    return source.problem(path, f"no recorded event has '{missing.path}'", hint)
