"""Cases of a config's tests: YAML files beside the config, named `*.tests.yaml`.

defaults: {at: "2026-11-27T12:00:00+03:00", input: pos}
tests:
  a gold customer is asked by SMS:
    event: {id: t-1, time: "2026-11-27T11:00:00+03:00", customer: {phone: "+905321234567"}}
    expect: {decision: invite, route: store-purchase, campaign: purchase-sms}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import AwareDatetime, Field, JsonValue, ValidationError

from consumer.config.include import folders_of
from consumer.config.section import Section
from consumer.config.source import parse
from consumer.config.texts import UnfitTextError, read_text
from consumer.errors import OperationError, Problem
from consumer.routing.decoding.times import TimeReader

PATTERN = "*.tests.yaml"

_read_time = TimeReader()


class Defaults(Section):
    """What the tests of a file share."""

    input: str | None = None
    """A name under `inputs`; not needed with one input."""
    at: Annotated[AwareDatetime | None, Field(strict=False)] = None
    """When the event is routed; by default at its own time."""


class CaseEntry(Defaults):
    """One event, and what is expected of it."""

    event: dict[str, JsonValue] | str
    """The event; a text is the record's value as it is."""
    expect: Annotated[dict[str, JsonValue], Field(min_length=1)]
    """Keys of `explain --json` with their values; of a mapping only named keys are compared."""


class CaseFile(Section):
    """A file of tests."""

    defaults: Defaults = Defaults()
    tests: Annotated[dict[str, CaseEntry], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Case:
    """One test. `place`: its file and line; `value`: the record's value; `at`: epoch seconds, None
    for the event's own time."""

    name: str
    place: str
    value: bytes
    input: str | None
    at: float | None
    expect: Mapping[str, Any]


def files_beside(config: Path) -> list[Path]:
    """Return the files of tests beside a config and the files that it includes. Raises
    OperationError if there is none."""
    found = [file for folder in folders_of(config) for file in sorted(folder.glob(PATTERN))]
    if not found:
        raise OperationError(f"there are no tests: expected {PATTERN} beside {config}, or a FILE")
    return found


def read_cases(files: Sequence[Path]) -> Iterator[Case]:
    """Yield the cases of files. Raises OperationError and ConfigError with lines."""
    for file in files:
        try:
            source = parse(read_text(file), str(file))
        except OSError as error:
            raise OperationError(f"{file} cannot be read: {error.strerror}") from None
        except UnfitTextError as error:
            raise OperationError(f"{file}: {error}") from None
        problems = list(source.problems)
        try:
            tests = CaseFile.model_validate_json(orjson.dumps(source.tree))
        except ValidationError as refused:
            problems += [
                source.problem(tuple(error["loc"]), error["msg"].lower())
                for error in refused.errors(include_url=False, include_input=False)
            ]
        if problems:
            raise OperationError("\n".join(map(_said, problems)))
        for name, test in tests.tests.items():
            place = f"{file}:{source.line(('tests', name))}"
            yield _case(name, place, test, tests.defaults)


def _said(problem: Problem) -> str:
    return f"{problem.file}:{problem.line}: {problem.path}: {problem.message}"


def _case(name: str, place: str, test: CaseEntry, defaults: Defaults) -> Case:
    at: datetime | None = test.at or defaults.at
    value = test.event.encode() if isinstance(test.event, str) else orjson.dumps(test.event)
    when = None if at is None else at.timestamp()
    return Case(name, place, value, test.input or defaults.input, when, test.expect)
