"""What every log event of the code writes: times that a person can read, durations with their unit,
and percentages. Found in the source text, so that an event that no test causes is judged, too."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[3] / "consumer"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
TIME = re.compile(r"(^|_)(at|until|since|time|timestamp|expires|deadline|from)$")
DURATION = re.compile(r"(^|_)(seconds|ms|minutes|hours)$")
PART = re.compile(r"(^|_)(ratio|part|fraction|share|limits_in_use)$|percent")
LENGTH = re.compile(r"(^|_)(duration|took|elapsed|age|wait|delay|lag|gap|timeout|ahead|interval)$")


class Value(NamedTuple):
    """A keyword of a log call: where it is, and its expression."""

    place: str
    key: str
    text: str


def written(tree: ast.AST, name: str) -> Iterator[Value]:
    """Yield what the log calls of a module write, also what they take from a dict display."""
    for node in ast.walk(tree):
        if not (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in LEVELS
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "log"
        ):
            continue
        for keyword in node.keywords:
            place = f"{name}:{keyword.value.lineno}"
            if keyword.arg is not None:
                yield Value(place, keyword.arg, ast.unparse(keyword.value))
                continue
            for inner in ast.walk(keyword.value):
                if isinstance(inner, ast.Dict):
                    for key, value in zip(inner.keys, inner.values, strict=True):
                        if isinstance(key, ast.Constant):
                            yield Value(place, str(key.value), ast.unparse(value))


def wrong(value: Value) -> str | None:
    """Return what a person cannot read in it, if anything."""
    if TIME.search(value.key) and "rfc3339" not in value.text:
        return "a time is written by rfc3339"
    if PART.search(value.key) and not re.search(r":\.\d%", value.text):
        return "a part is written as a percentage"
    if LENGTH.search(value.key) and not DURATION.search(value.key):
        return "the key of a duration names its unit"
    return None


def of_the_code() -> list[Value]:
    return [
        value
        for path in sorted(ROOT.rglob("*.py"))
        for value in written(ast.parse(path.read_text()), str(path.relative_to(ROOT)))
    ]


def test_no_log_event_has_a_raw_time_a_fraction_or_a_duration_without_a_unit() -> None:
    values = of_the_code()
    assert len(values) > 200, "the log calls are not found any more"
    found = [
        f"{value.place} {value.key}={value.text}: {wrong(value)}"
        for value in values
        if wrong(value)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "call",
    [
        "log.error('e', closed_until=round(quota.closed_until, 3))",
        "log.error('e', limits_in_use=quota.limits_in_use)",
        "log.info('e', **({'since': at} if at else {}))",
        "log.info('e', timeout=3.0)",
    ],
)
def test_the_rule_finds_what_a_person_cannot_read(call: str) -> None:
    assert [wrong(value) for value in written(ast.parse(call), "made-up")] != [None]
