"""What differs between two configs, as a running process must know it. Decisions only."""

from __future__ import annotations

from dataclasses import dataclass

from consumer.config.models import Config

FIXED = ("application_id", "kafka", "pseudonym", "admin")
"""Sections that cannot change while the process runs: names and clients of every topic and group,
what results call a customer, the port that probes ask."""


@dataclass(frozen=True, slots=True)
class Changes:
    """From one config to the next. All names are of the next one, but for those that `left`.

    `fixed`: sections that need a restart. `accounts`: vendors with another account, or another
    timeout, than before.
    """

    nothing: bool
    fixed: tuple[str, ...]
    new_lanes: tuple[str, ...]
    left_lanes: tuple[str, ...]
    new_inputs: tuple[str, ...]
    accounts: frozenset[str]


def compare(old: Config, new: Config) -> Changes:
    """What changed from `old` to `new`."""
    return Changes(
        nothing=_same(old, new),
        fixed=tuple(name for name in FIXED if getattr(old, name) != getattr(new, name)),
        new_lanes=tuple(lane for lane in new.lanes if lane not in old.lanes),
        left_lanes=tuple(lane for lane in old.lanes if lane not in new.lanes),
        new_inputs=tuple(topic for topic in new.input_topics if topic not in old.input_topics),
        accounts=frozenset(name for name in new.vendors if not _same_account(name, old, new)),
    )


def _same(old: Config, new: Config) -> bool:
    """The version tells 1 from true, which are equal in Python; the fields tell secrets apart."""
    fields = Config.model_fields
    return old.config_version == new.config_version and all(
        getattr(old, name) == getattr(new, name) for name in fields
    )


def _same_account(name: str, old: Config, new: Config) -> bool:
    was, now = old.vendors.get(name), new.vendors[name]
    if was is None or was != now:
        return False
    return old.quotas[was.quota].call_timeout == new.quotas[now.quota].call_timeout
