"""Pauses by command: a pure picture of what an operator paused, which a lane holds.

They add to what the config pauses: an invitation waits while either holds. A reader of the topic of
pauses makes a new picture at each change; nothing changes one, so that threads may share it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from consumer.records.pause import Pausable, PauseKind


@dataclass(frozen=True, slots=True)
class Pauses:
    """What an operator paused by command. `everything`: all calls of the application."""

    everything: bool = False
    routes: frozenset[str] = frozenset()
    campaigns: frozenset[str] = frozenset()
    vendors: frozenset[str] = frozenset()

    @classmethod
    def of(cls, paused: Iterable[Pausable]) -> Self:
        """Make the picture of these pauses."""
        names: dict[PauseKind, set[str]] = {kind: set() for kind in PauseKind}
        for kind, name in paused:
            names[kind].add(name)
        return cls(
            bool(names[PauseKind.EVERYTHING]),
            frozenset(names[PauseKind.ROUTE]),
            frozenset(names[PauseKind.CAMPAIGN]),
            frozenset(names[PauseKind.VENDOR]),
        )

    def __bool__(self) -> bool:
        return bool(self.everything or self.routes or self.campaigns or self.vendors)

    def holds(self, route: str, campaign: str, vendor: str) -> bool:
        """Return whether an invitation of these is paused."""
        return route in self.routes or self.holds_campaign(campaign, vendor)

    def holds_campaign(self, campaign: str, vendor: str) -> bool:
        """Return whether all invitations of a campaign are paused, whatever their routes."""
        return self.everything or campaign in self.campaigns or vendor in self.vendors
