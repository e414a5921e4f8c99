"""What the rules at routing see of an event that a route took."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

Value = Callable[[dict[str, Any]], object]
"""Reads a value from an event's body."""


ChanceKey = Literal["person", "event"] | Value
"""What decides by chance: equal ones are in or out together."""


class Candidate(Protocol):
    """An event and a route that took it, on its way to an invitation. `found`: what rules found,
    for its result."""

    @property
    def expires_at(self) -> float | None: ...
    @property
    def body(self) -> dict[str, Any]: ...
    @property
    def event_time(self) -> float: ...
    @property
    def due_from(self) -> float: ...
    @property
    def found(self) -> dict[str, Any]: ...

    def address(self, kind: Literal["phone", "email"]) -> str | None:
        """Return the recipient's valid address of this kind, or None."""
        ...

    def identities(self) -> list[str]:
        """Return the person's identities in plain text; addresses stand as they are."""
        ...

    def chance_key(self, by: ChanceKey) -> str:
        """Return the text that decides by chance: of the person, the event, or a value."""
        ...

    def time_at(self, value: Value) -> float | None:
        """Return a time of the event in epoch seconds, or None if it has none there."""
        ...
