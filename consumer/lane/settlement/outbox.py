"""Outbox: results, dead letters and delayed invitations of the next commit, with their offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from consumer.lane.offsets.attempts import Attempts
from consumer.lane.offsets.settled import SettledOffsets
from consumer.lane.settlement.results import (
    NO_CALL,
    CallFacts,
    result_of,
)
from consumer.lane.state.delay_steps import (
    DelayedInvitation,
    due_of,
    step_for,
)
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneCampaign
from consumer.records.dead_letter import DeadLetter
from consumer.records.result import (
    Reason,
    Result,
)

COMMIT_SIZE = 10_000
"""Results, dead letters and invitations put off, at which a commit counts as full."""


@dataclass(slots=True)
class Outbox:
    """Results, dead letters and invitations that are put off, until a commit takes them."""

    settled: SettledOffsets
    attempts: Attempts
    results: list[Result] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    put_off: list[DelayedInvitation] = field(default_factory=list)
    most: int = COMMIT_SIZE

    @property
    def room(self) -> int:
        """How many more of a crowd the next commit should carry."""
        return max(0, self.most - len(self.results) - len(self.dead_letters) - len(self.put_off))

    @property
    def full(self) -> bool:
        """Whether what is left of a crowd should wait for another commit."""
        return not self.room

    def __bool__(self) -> bool:
        return bool(self.results or self.dead_letters or self.put_off)

    def take(self) -> tuple[list[Result], list[DeadLetter], list[DelayedInvitation]]:
        """All of it, for a commit."""
        taken = self.results, self.dead_letters, self.put_off
        self.results, self.dead_letters, self.put_off = [], [], []
        return taken

    def end(
        self,
        held: PendingInvitation,
        reason: Reason,
        campaign: LaneCampaign | None,
        facts: CallFacts = NO_CALL,
    ) -> None:
        """An invitation is final, after as many attempts as it counts itself."""
        self._settle(held.offset)
        self.results.append(result_of(held.invitation, reason, campaign, held.attempt, facts))

    def end_all(
        self,
        many: Sequence[PendingInvitation],
        reason: Reason,
        campaign: LaneCampaign,
        facts: CallFacts,
    ) -> None:
        """All of one call end alike, by this very attempt."""
        self.results += [
            result_of(held.invitation, reason, campaign, held.attempt + 1, facts) for held in many
        ]
        self.settled.settle_all(held.offset for held in many)
        for held in many:
            self.attempts.forget(held.offset)

    def dead(self, letter: DeadLetter) -> None:
        """A record that is no invitation is final too."""
        self._settle(letter.source["offset"])
        self.dead_letters.append(letter)

    def delay(self, held: PendingInvitation, now: float, seconds: float) -> None:
        """An invitation goes to the delay ladder."""
        self._settle(held.offset)
        due_at = due_of(now, seconds, held.expires_at)
        self.put_off.append(DelayedInvitation(held, due_at, step_for(due_at - now)))

    def _settle(self, offset: int) -> None:
        self.settled.settle(offset)
        self.attempts.forget(offset)
