"""Outbox: results, dead letters and delayed invitations of the next commit, with their offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from consumer.lane.offsets.attempts import Attempts
from consumer.lane.offsets.settled import SettledOffsets
from consumer.lane.settlement.results import NO_CALL, CallFacts, result_of
from consumer.lane.state.delay_steps import DelayedInvitation, due_of, step_for
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneCampaign
from consumer.records.dead_letter import DeadLetter
from consumer.records.result import Reason, Result

COMMIT_SIZE = 10_000
"""Results, dead letters and delayed invitations at which a commit is full."""


@dataclass(slots=True)
class Outbox:
    """Results, dead letters and delayed invitations until a commit takes them.

    Each one settles its offset at once, so that the checkpoint of the same commit contains it.
    """

    settled: SettledOffsets
    attempts: Attempts
    results: list[Result] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    put_off: list[DelayedInvitation] = field(default_factory=list)
    most: int = COMMIT_SIZE

    @property
    def room(self) -> int:
        """How many more of a large group the next commit should carry."""
        return max(0, self.most - len(self.results) - len(self.dead_letters) - len(self.put_off))

    @property
    def full(self) -> bool:
        """Whether the rest of a large group should wait for another commit."""
        return not self.room

    def __bool__(self) -> bool:
        return bool(self.results or self.dead_letters or self.put_off)

    def take(self) -> tuple[list[Result], list[DeadLetter], list[DelayedInvitation]]:
        """Remove and return all of it, for a commit."""
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
        """Add the result of an invitation, after as many attempts as it counts itself."""
        self._settle(held.offset)
        self.results.append(result_of(held.invitation, reason, campaign, held.attempt, facts))

    def end_all(
        self,
        many: Sequence[PendingInvitation],
        reason: Reason,
        campaign: LaneCampaign,
        facts: CallFacts,
    ) -> None:
        """Add the results of a call whose invitations all end alike, by this very attempt."""
        self.results += [
            result_of(held.invitation, reason, campaign, held.attempt + 1, facts) for held in many
        ]
        self.settled.settle_all(held.offset for held in many)
        for held in many:
            self.attempts.forget(held.offset)

    def dead(self, letter: DeadLetter) -> None:
        """Add a dead letter: it settles a record that is no invitation."""
        self._settle(letter.source["offset"])
        self.dead_letters.append(letter)

    def delay(self, held: PendingInvitation, now: float, seconds: float) -> None:
        """Add an invitation that goes to a delay topic."""
        self._settle(held.offset)
        due_at = due_of(now, seconds, held.expires_at)
        self.put_off.append(DelayedInvitation(held, due_at, step_for(due_at - now)))

    def _settle(self, offset: int) -> None:
        self.settled.settle(offset)
        self.attempts.forget(offset)
