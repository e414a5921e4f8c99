"""Commands of a lane to the runtime: plain data. The runtime reports their completion as events."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from consumer.lane.state.delay_steps import DelayedInvitation
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.results import EndedInvitation
from consumer.lane.state.settings import LaneCampaign
from consumer.policy.contacts.request import Decision
from consumer.records.checkpoint import Checkpoint
from consumer.records.dead_letter import DeadLetter


class SealReason(StrEnum):
    """Why a window was sealed."""

    FULL = "full"
    PERMIT = "permit"
    MAX_WAIT = "max_wait"
    LINGER = "linger"
    PROBE = "probe"
    PART = "part"


@dataclass(frozen=True, slots=True)
class Batch:
    """A sealed window: the invitations of one call, of distinct recipients. `rules` is the campaign
    at the time of sealing: a call ends by the config that it began with. `asked_at`: when the
    contact store was asked to seal it; infinite without one."""

    id: str
    campaign: str
    invitations: Sequence[PendingInvitation]
    sealed_at: float
    why: SealReason
    rules: LaneCampaign
    asked_at: float = math.inf

    @property
    def attempt(self) -> int:
        """The highest attempt among its invitations, 1 for a first one."""
        return 1 + max(pending.attempt for pending in self.invitations)


@dataclass(frozen=True, slots=True)
class Commit:
    """Write all of it in one transaction, then call the lane's `committed`. Invitations in
    `delayed` go to the delay topics."""

    checkpoint: Checkpoint
    results: Sequence[EndedInvitation]
    dead_letters: Sequence[DeadLetter] = ()
    delayed: Sequence[DelayedInvitation] = ()


@dataclass(frozen=True, slots=True)
class Send:
    """Make the vendor call for this batch, whose intent is committed."""

    batch: Batch


@dataclass(frozen=True, slots=True)
class Login:
    """Open a session at this vendor. Its permit was taken at `decided_at` and is recorded."""

    vendor: str
    decided_at: float


@dataclass(frozen=True, slots=True)
class ReserveContacts:
    """Ask the contact store whether these invitations, which are due, may be sent."""

    invitations: Sequence[PendingInvitation]


@dataclass(frozen=True, slots=True)
class SealContacts:
    """Ask the contact store whether the call of these invitations may leave."""

    invitations: Sequence[PendingInvitation]


@dataclass(frozen=True, slots=True)
class ContactsAnswered:
    """The contact store's decisions by offset; None: it is unavailable. `sealing`: they answer a
    `SealContacts`, else a `ReserveContacts`. `asked_at`: right before the store was asked; a commit
    may have come between the command and that."""

    decisions: Mapping[int, Decision] | None
    sealing: bool
    asked_at: float | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Stop reading the lane's topic: the bounds of buffered and spilled invitations are reached."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Continue reading."""


@dataclass(frozen=True, slots=True)
class Seek:
    """Read the lane's topic from this offset on."""

    offset: int


Command = Commit | Send | Login | ReserveContacts | SealContacts | Pause | Resume | Seek
