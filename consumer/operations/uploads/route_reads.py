"""What a route reads from a row's event, and which columns of a file it finds there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from consumer.config.models import Config, Route
from consumer.config.tables import lookup_tables
from consumer.operations.explain.masking import Masking
from consumer.operations.uploads.columns import Column, Columns
from consumer.policy.schedule import PHONE
from consumer.routing.expressions import compile_value
from consumer.wiring.contacts import counted_by

ADDRESSES: Final = ("phone", "email")
_NAMES: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|(\w+)')
_MASKING: Final = Masking()


@dataclass(frozen=True, slots=True)
class Found:
    """What an expression of the route finds in the first rows. `columns`: whose cells it reads;
    `rows`: of how many it finds a value; `example`: of the first, masked."""

    name: str
    expression: str
    columns: Sequence[str]
    rows: int
    example: str

    @property
    def is_address(self) -> bool:
        """Whether it is an address of the recipient."""
        return self.name in ADDRESSES


@dataclass(frozen=True, slots=True)
class Preview:
    """What is found in the first `rows` rows. `unread`: columns that no expression reads."""

    found: Sequence[Found]
    unread: Sequence[str]
    rows: int

    @property
    def reaches(self) -> bool:
        """Whether some row has an address of the recipient."""
        return any(one.rows for one in self.found if one.is_address)

    def columns_of(self, name: str) -> list[str]:
        """Return the columns that a part of the invitation is read from."""
        return [column for one in self.found if one.name == name for column in one.columns]


def preview(
    config: Config,
    route: Route,
    columns: Columns,
    events: Sequence[Mapping[str, Any]],
    also: set[str],
) -> Preview:
    """Return what the route finds in these events. `also`: columns that the command reads."""
    tables = lookup_tables(config.tables)
    found = []
    for name, expression in reads_of(config, route):
        get = compile_value(expression, tables)
        values = [value for event in events if (value := get(dict(event))) not in (None, "")]
        read = [column.name for column in columns.kept if reads(expression, column)]
        example = _masked(name, values[0]) if values else ""
        found.append(Found(name, expression, read, len(values), example))
    used = {column for one in found for column in one.columns} | also
    pattern = json.dumps(config.exclude.match, ensure_ascii=False)
    unread = [
        column.name
        for column in columns.kept
        if column.name not in used and not reads(pattern, column)
    ]
    return Preview(found, unread, len(events))


def reads(expression: str, column: Column) -> bool:
    """Tell whether an expression or pattern may read a column: it has all keys of its path."""
    names = {quoted or plain for quoted, plain in _NAMES.findall(expression)}
    return set(column.keys) <= names


def reads_of(config: Config, route: Route) -> Iterator[tuple[str, str]]:
    """Yield what a route reads, with its expression: addresses, data, rules, person, results."""
    policy, person = config.policy_of(route), config.inputs[route.input].person
    named: list[tuple[str, str | None]] = [
        ("phone", route.recipient.phone),
        ("email", route.recipient.email),
    ]
    for key, text in route.data.items():
        inner = {key: text} if isinstance(text, str) else {f"{key}.{k}": v for k, v in text.items()}
        named += inner.items()
    named += [(f"consent {channel}", text) for channel, text in policy.consent.items()]
    named += [("customer_since", policy.customer_since.at)] if policy.customer_since else []
    for name, rule in (("holdout", policy.holdout), ("sample", policy.sample)):
        named += [(name, rule.by)] if rule and rule.by not in {"person", "event"} else []
    named += [("timezone", text) for text in policy.timezone if text != PHONE and text[:1] != "'"]
    named += [("counted by", text) for text in counted_by(config, route)]
    named += [
        (f"person {kind}", getattr(person, kind)) for kind in ("id", "email", "phone", "household")
    ]
    named += [(f"result {name}", text) for name, text in config.results.fields.items()]
    yield from ((name, text) for name, text in named if text is not None)


def _masked(name: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return str(_MASKING.address(text)) if name in ADDRESSES else _MASKING.data(text)
