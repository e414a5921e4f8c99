"""Checks `results.fields`: values of an event that stand in results, and never an address."""

from __future__ import annotations

from collections.abc import Iterator

from consumer.config.checks.findings import Findings
from consumer.config.document import Path

_ADDRESSES = ("phone", "email")


def check_result_fields(findings: Findings) -> None:
    """Add problems of `results.fields` to `findings`."""
    addresses = set(_addresses(findings))
    for name in findings.mapping("results", "fields"):
        path: Path = ("results", "fields", name)
        findings.expression(*path)
        if findings.text(*path) in addresses:
            message = "is an address, and results have none: they name a customer by `recipient`"
            findings.problem(path, message, "leave it out")


def field_expressions(findings: Findings) -> Iterator[Path]:
    """Yield the paths of expressions under `results`."""
    yield from (("results", "fields", name) for name in findings.mapping("results", "fields"))


def _addresses(findings: Findings) -> Iterator[str]:
    """Yield the expressions that read an address."""
    places: list[Path] = [("routes", index, "recipient") for index in findings.routes()]
    places += [("inputs", name, "person") for name in findings.mapping("inputs")]
    for place in places:
        for kind in _ADDRESSES:
            if text := findings.text(*place, kind):
                yield text
