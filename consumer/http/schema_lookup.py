"""Looks up the schemas that a poll's records name, before they are decoded.

    unknown name ─► asked ─┬─ a schema ──────────────► the book keeps it
                           ├─ there is none, 60 s long ► the book says so, for this poll
                           └─ else ──────────────────► its records wait, and are read again

The 60 s are for a registry of several replicas: a schema can be newer than the one that was asked.
After an answer that is no word on the schema nothing is asked before the next attempt, 5 s later
and then up to 30 s, so that other inputs go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

import structlog

from consumer.errors import RegistryUnavailable
from consumer.http.schema_compiler import readable
from consumer.http.schema_registry import FoundSchema
from consumer.routing.decoding.schemas.schema_book import LARGEST, SchemaBook

GRACE: Final = 60.0
"""Seconds for which the registry must have said that it has no such schema."""

RETRY: Final = 5.0
LONGEST_RETRY: Final = 30.0
MOST_AT_ONCE: Final = 100
"""Schemas that are asked for between two polls; the records of others wait."""

LONGEST: Final = 5.0
"""Seconds after which no further schema is asked for between two polls."""

UNKNOWN: Final = "is unknown to the registry"

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class SchemaLookup:
    """Fills the book of a router. `fetch`: raises RegistryUnavailable, else returns None for a
    schema that the registry lacks. `retry_at`: when waiting records are to be read again."""

    book: SchemaBook
    fetch: Callable[[str], FoundSchema | None]
    retry_at: float = 0.0
    steady: Callable[[], float] = time.monotonic
    _delay: float = RETRY
    _why: str = ""
    _failed: str = ""
    _lacking: dict[str, float] = field(default_factory=dict)

    def learn(
        self, names: Collection[str], now: float, beat: Callable[[], None] = lambda: None
    ) -> set[str]:
        """Look schemas up; return those whose records must wait."""
        if self._why and now < self.retry_at:
            return set(names)
        waiting, until = set(names), self.steady() + LONGEST
        # One schema that the registry cannot say must not stand before the others.
        for name in sorted(names, key=self._failed.__eq__)[:MOST_AT_ONCE]:
            beat()
            if self.steady() >= until:
                break
            try:
                if self._learn_one(name, now):
                    waiting.discard(name)
            except RegistryUnavailable as error:
                self._failed = name
                self._unreachable(str(error), now)
                return waiting
        self._reached()
        self.retry_at = now + RETRY
        return waiting

    def _learn_one(self, name: str, now: float) -> bool:
        """Add a schema to the book; return whether its records may be decoded."""
        found = self.fetch(name)
        if found is not None:
            self._lacking.pop(name, None)
            self.book.add(name, readable(found))
            return True
        if len(self._lacking) > LARGEST:  # records may name any id
            self._lacking.clear()
        if now - self._lacking.setdefault(name, now) < GRACE:
            return False
        self.book.refuse(name, UNKNOWN)
        return True

    def _unreachable(self, why: str, now: float) -> None:
        if why != self._why:
            log.warning("registry_unreachable", why=why)
        self._why, self.retry_at = why, now + self._delay
        self._delay = min(2 * self._delay, LONGEST_RETRY)

    def _reached(self) -> None:
        if self._why:
            log.info("registry_reached")
        self._why, self._delay = "", RETRY
