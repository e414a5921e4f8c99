"""What Kafka remembers of a simulated world: names, and the form of every kind of record.

`tests/samples/258f27a/remembered.json` is what this function found in the worlds of commit 258f27a
(its own program and simulation, seeds 0 to 59). It is never written again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from tests.simulation.kafka.broker import FakeBroker
from tests.simulation.kafka.log import FakeRecord

Remembered = dict[str, set[str]]
"""Kind of a name → the names, without the application's prefix."""

FREE = {"data", "address"}
"""Parts of a record whose keys are the customers' and the vendors'."""


def remembered(broker: FakeBroker, application: str) -> Remembered:
    """Collect what a restart, an upgrade and a reader of the topics go by."""
    prefix = f"{application}."
    holders, groups = broker.coordinator._holders, broker._groups
    own = [name for name in broker._topics if name.startswith(prefix)]
    found: Remembered = {
        "topic": {_name(name, prefix) for name in own},
        "group": {_name(name, prefix) for name in groups},
        "offset": {
            f"{_name(name, prefix)} in {_name(topic, prefix)}"
            for name, group in groups.items()
            for topic, _ in group.offsets
        },
        # An operator's command has an id of its own each time.
        "transactional id": {
            re.sub(r"\.[0-9]+$", ".<instance>", _name(name, prefix))
            for name in holders
            if name.startswith(prefix) and not name.startswith(f"{prefix}operator")
        },
        "key": set(),
        "header": set(),
        "field": set(),
    }
    for name in own:
        kind = name.removeprefix(prefix).partition(".")[0]
        for partition in broker.partitions(name):
            for record in partition.history:
                if record.transaction is not None and record.state == "committed":
                    _add(found, kind, record)
    return found


def _name(name: str, prefix: str) -> str:
    """Return a name without the application's prefix and the lane's name."""
    return re.sub(r"^(invitations|checkpoints|lane)\..+$", r"\1.<lane>", name.removeprefix(prefix))


def _add(found: Remembered, kind: str, record: FakeRecord) -> None:
    found["header"] |= {f"{kind}: {header}" for header, _ in record.headers or ()}
    if kind != "dead-letters":  # their keys and values are another program's
        value = orjson.loads(record.value or b"")
        found["key"].add(f"{kind}: {_meaning(value, (record.key or b'').decode())}")
        found["field"] |= {f"{kind}: {path}" for path in _paths(value)}


def _meaning(value: dict[str, Any], key: str) -> str:
    """Name the fields that hold the record's key, or its part before a slash."""
    head, slash, rest = key.partition("/")
    fields = sorted(field for field, held in value.items() if held == head)
    return " or ".join(fields) + slash + rest


def _paths(value: object, path: str = "") -> Iterator[str]:
    """Yield the paths of all keys of a document; an item of a list adds nothing to a path."""
    if isinstance(value, dict):
        for key, held in value.items():
            yield (here := f"{path}.{key}".lstrip("."))
            if key not in FREE:
                yield from _paths(held, here)
    elif isinstance(value, list):
        for item in value:
            yield from _paths(item, path)
