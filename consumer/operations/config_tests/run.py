"""Runs a config's tests: each event as `explain` decides it, beside what is expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consumer.config.models import Config
from consumer.operations.config_tests.cases import Case
from consumer.operations.explain.event_source import topic_of_input
from consumer.operations.explain.explainer import Explainer
from consumer.operations.explain.masking import Masking
from consumer.records.input_record import InputRecord
from consumer.wiring.build import build_router, build_vendors
from consumer.wiring.inputs import with_json_events


@dataclass(frozen=True, slots=True)
class Difference:
    """A part of an answer that is not as expected. `path`: as in `call.body.name`."""

    path: str
    expected: Any
    found: Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one test found; it passed if there is no difference."""

    case: Case
    differences: Sequence[Difference]


def run_tests(config: Config, cases: Iterable[Case]) -> Iterator[Outcome]:
    """Yield the outcome of each case. Raises OperationError for an input that the config lacks.

    Addresses are not masked: the events of tests are made up. They are JSON, also of an input whose
    records are Avro or Protobuf.
    """
    config = with_json_events(config)
    explainer = Explainer(config, Masking(off=True))
    inputs = build_router(config, build_vendors(config)).inputs
    for case in cases:
        record = InputRecord(topic_of_input(config, case.input), 0, 0, case.value)
        when = inputs[record.topic].decoder.event_time(record) if case.at is None else case.at
        told = explainer.explain(record, when, most_routes=len(config.routes))
        yield Outcome(case, list(differences(case.expect, told)))


def differences(expected: Any, found: Any, path: str = "") -> Iterator[Difference]:
    """Yield where an answer is not as expected: of a mapping the named keys alone are compared."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key, value in expected.items():
            yield from differences(value, found.get(key), f"{path}.{key}" if path else key)
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differences(one, other, f"{path}[{number}]")
    elif expected != found:
        yield Difference(path, expected, found)
