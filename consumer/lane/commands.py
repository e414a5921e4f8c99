"""What a lane asks of the runtime: data, carried out elsewhere, answered by events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from consumer.lane.schedule import Why
from consumer.lane.window import Held
from consumer.model import Checkpoint, DeadLetter, Result


@dataclass(frozen=True, slots=True)
class Batch:
    """A sealed window: one call's invitations, of distinct recipients."""

    id: str
    campaign: str
    held: Sequence[Held]
    sealed_at: float
    why: Why

    @property
    def attempt(self) -> int:
        """The highest attempt among its invitations, 1 for a first one."""
        return 1 + max(each.attempt for each in self.held)


@dataclass(frozen=True, slots=True)
class Commit:
    """Write results and the checkpoint in one transaction, then tell the lane `committed`."""

    checkpoint: Checkpoint
    results: Sequence[Result]
    dead_letters: Sequence[DeadLetter] = ()


@dataclass(frozen=True, slots=True)
class Send:
    """Make the vendor call for this batch, whose intent is committed."""

    batch: Batch


@dataclass(frozen=True, slots=True)
class Login:
    """Open a session at this vendor; its permit is taken and recorded."""

    vendor: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Stop reading the lane's topic: as much is held as may be."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Read on."""


Command = Commit | Send | Login | Pause | Resume
