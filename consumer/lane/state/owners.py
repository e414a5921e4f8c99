"""Recent owners of a lane, and whether two configs contend for it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from consumer.records.checkpoint import Owner

KEPT = 8
"""Owners that a checkpoint remembers."""

BACKS = 3
"""Changes back to an earlier config that no deployment with its rollback explains."""

WITHIN = 3600.0
"""Seconds in which they count."""


def next_owners(
    former: Sequence[Owner], instance: str, config_version: str, now: float
) -> list[Owner]:
    """Return the last owners, oldest first, after `instance` has taken the lane over at `now`."""
    owner = Owner(instance=instance, config_version=config_version, at=now)
    return [*former, owner][-KEPT:]


def contested(owners: Sequence[Owner]) -> str | None:
    """Return an error text if configs take the lane from each other (A, B, A, B, A), else None."""
    lately = [owner for owner in owners if owners[-1].at - owner.at <= WITHIN]
    if _changes_back([owner.config_version for owner in lately]) < BACKS:
        return None
    versions = sorted({owner.config_version for owner in lately})
    instances = sorted({owner.instance for owner in lately})
    return (
        f"taken over in turn by configs {', '.join(versions)} (instances {', '.join(instances)}), "
        f"{len(lately)} times within an hour: two applications with one application_id, or "
        "replicas with different configs? Give each application its own, and all replicas one"
    )


def _changes_back(versions: Sequence[str]) -> int:
    """Count how often a config followed another one and had been active before."""
    return sum(
        now != before and now in versions[:place]
        for place, (before, now) in enumerate(pairwise(versions))
    )
