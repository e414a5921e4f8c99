"""Compares two configs for the reload of a running process. Decisions only."""

from __future__ import annotations

from dataclasses import dataclass

from consumer.config.models import Config

FIXED = ("application_id", "kafka", "pseudonym", "contacts", "feeds", "admin")
"""Sections that cannot change while the process runs: names and clients of every topic and group,
the pseudonyms in results, the contact store, what must be read before anything is sent, the port of
the probes."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes from one config to the next, by names of the next one; `left_lanes` by old names.

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
    """Return what changed from `old` to `new`."""
    return Changes(
        # By version, for 1 == true in Python, and by fields, for a version leaves secrets out.
        nothing=old.config_version == new.config_version
        and all(getattr(old, name) == getattr(new, name) for name in Config.model_fields),
        fixed=tuple(name for name in FIXED if getattr(old, name) != getattr(new, name)),
        new_lanes=tuple(lane for lane in new.lanes if lane not in old.lanes),
        left_lanes=tuple(lane for lane in old.lanes if lane not in new.lanes),
        new_inputs=tuple(topic for topic in new.input_topics if topic not in old.input_topics),
        accounts=frozenset(name for name in new.vendors if not _same_account(name, old, new)),
    )


def _same_account(name: str, old: Config, new: Config) -> bool:
    was, now = old.vendors.get(name), new.vendors[name]
    if was is None or was != now:
        return False
    return old.quotas[was.quota].call_timeout == new.quotas[now.quota].call_timeout
