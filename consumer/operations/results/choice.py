"""Which results an operator asks for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from consumer.operations.results.columns import Found
from consumer.records.result import Result
from consumer.records.trace_context import trace_id_of

TRACE_ID = "trace_id"
"""A field that results hold as a part of `traceparent`."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter: a result must have one of the values of each field, be about one of `persons`
    (pseudonyms), and be written in [`since`, `until`), epoch seconds. What is empty takes all."""

    fields: Mapping[str, Collection[str]] = field(default_factory=dict)
    persons: frozenset[str] = frozenset()
    since: float | None = None
    until: float | None = None

    def takes(self, found: Found) -> bool:
        """Return whether the result is asked for."""
        result, written_at = found
        return (
            (self.since is None or written_at >= self.since)
            and (self.until is None or written_at < self.until)
            and all(
                _value(result, name) in values for name, values in self.fields.items() if values
            )
            and (not self.persons or self._names_person(result))
        )

    def _names_person(self, result: Result) -> bool:
        named = {*(result.get("person") or ()), result["recipient"]}
        return not self.persons.isdisjoint(named)


def _value(result: Result, name: str) -> object:
    return trace_id_of(result.get("traceparent", "")) if name == TRACE_ID else result.get(name)
