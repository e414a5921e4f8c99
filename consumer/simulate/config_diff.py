"""`diff`: which events another config decides otherwise. Both routers route the same records.

A change is named by what was decided before and after, or by the parts of an invitation that
differ. No value of an event is part of a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from consumer.config.models import Config
from consumer.records.input_record import InputRecord
from consumer.routing.router import Router
from consumer.wiring.build import build_router, build_vendors

_APART: Final = frozenset({"config_version", "routed_at"})
"""Parts that differ between any two configs, or runs."""

Parts = Mapping[str, object]


@dataclass(slots=True)
class ConfigDiff:
    """How many events were routed, and how many changed, by the change; `examples`: the place of
    one event of each change."""

    events: int = 0
    changes: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, change: str, record: InputRecord) -> None:
        """Count a changed event."""
        self.changes[change] = self.changes.get(change, 0) + 1
        self.examples.setdefault(change, f"{record.topic}:{record.partition}:{record.offset}")


def diff(before: Config, after: Config, records: Iterable[InputRecord]) -> ConfigDiff:
    """Route records as of their own time by both configs. A topic that one of them does not read is
    a change, too."""
    found = ConfigDiff()
    routers = [build_router(config, build_vendors(config)) for config in (before, after)]
    for record in records:
        found.events += 1
        was, now = (_decided(router, record) for router in routers)
        if was.keys() != now.keys():
            found.add(f"{_named(was)} → {_named(now)}", record)
            continue
        changed = sorted({part for name in was for part in _changed(was[name], now[name])})
        if changed:
            found.add(f"{_named(was)}: {', '.join(changed)}", record)
    return found


def _named(decided: Mapping[str, Parts]) -> str:
    return " and ".join(sorted({name.partition("#")[0] for name in decided}))


def _decided(router: Router, record: InputRecord) -> dict[str, Parts]:
    """Return what a router decides, by a name that is unique in this event, with its parts."""
    known = router.inputs.get(record.topic)
    when = known.decoder.event_time(record) if known else 0.0
    out = router.route([record], when)
    found: dict[str, Parts] = {}
    for made in out.invitations:
        parts: dict[str, Any] = orjson.loads(made.value)
        result = parts.pop("result")
        name = f"invite {result['route']} {made.campaign}"
        found[f"{name}#{len(found)}"] = {
            **parts,
            "lane": made.lane,
            "due_at": made.due_at,
            **result,
        }
    for ended in out.results:
        name = f"{ended['status']} {ended['reason']} {ended['route']}"
        found[f"{name}#{len(found)}"] = {**ended}
    for letter in out.dead_letters:
        found[f"dead_letter {letter.reason}"] = {}
    return found or {"skipped" if out.counts[record.topic, "skipped", ""] else "unmatched": {}}


def _changed(before: object, after: object, path: str = "") -> Iterator[str]:
    """Yield the paths at which two values differ."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in before.keys() | after.keys():
            if path or key not in _APART:
                where = f"{path}.{key}" if path else str(key)
                yield from _changed(before.get(key), after.get(key), where)
    elif before != after:
        yield path
