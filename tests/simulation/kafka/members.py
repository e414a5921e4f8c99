"""One membership in a consumer group, as the group's coordinator sees it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Literal

from tests.simulation.kafka.log import Place
from tests.simulation.kafka.tasks import Process

if TYPE_CHECKING:
    from tests.simulation.kafka.session import Session

Event = tuple[Literal["assign", "revoke"], list[Place]]


@dataclass(slots=True, eq=False)
class Member:
    """One membership. `owned` is the coordinator's view; `events` wait for the member's poll.

    `dropped`: the group did without it; its client hears of that at `heard_at`.
    """

    id: str
    process: Process
    client: Session
    topics: Sequence[str]
    generation: int = -1
    owned: dict[Place, None] = field(default_factory=dict)
    events: deque[Event] = field(default_factory=deque)
    busy: bool = False
    dropped: bool = False
    heard_at: float = inf

    def silent_until(self, frozen_until: float) -> bool:
        """Whether it is dead, or still in that freeze."""
        return self.process.dead or self.process.frozen_until == frozen_until

    def silent(self, now: float) -> bool:
        """Whether it sends no heartbeats now."""
        return self.process.dead or self.process.frozen_until > now
