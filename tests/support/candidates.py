"""An event on its way to an invitation, as the rules at routing see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from consumer.policy.candidate import ChanceKey, Value


@dataclass
class FakeCandidate:
    """See `policy.candidate.Candidate`."""

    body: dict[str, Any] = field(default_factory=dict)
    person: list[str] = field(default_factory=list)
    event_id: str = "e1"
    event_time: float = 1_763_800_000.0
    expires_at: float | None = None
    phone: str | None = None
    email: str | None = None
    found: dict[str, Any] = field(default_factory=dict)

    @property
    def due_from(self) -> float:
        return self.event_time

    def address(self, kind: Literal["phone", "email"]) -> str | None:
        return self.phone if kind == "phone" else self.email

    def identities(self) -> list[str]:
        return self.person

    def chance_key(self, by: ChanceKey) -> str:
        if by == "person":
            return next(iter(self.person), self.event_id)
        return self.event_id if by == "event" else str(by(self.body))

    def time_at(self, value: Value) -> float | None:
        found = value(self.body)
        return found if isinstance(found, float) else None
