"""Outbox: results, dead letters and delayed invitations of the next commit, with their offsets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from consumer.lane.buffer.buffer import InvitationBuffer
from consumer.lane.offsets.attempts import Attempts
from consumer.lane.settlement.answered_call import AnsweredCall
from consumer.lane.state.delay_steps import DelayedInvitation, due_of, step_for, wait_of
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.results import NO_CALL, NO_DETAILS, CallFacts, EndedInvitation
from consumer.records.dead_letter import DeadLetter
from consumer.records.result import Reason


@dataclass(slots=True)
class Outbox:
    """Results, dead letters and delayed invitations until a commit takes them. Each one settles its
    offset at once, so that the checkpoint of the same commit contains it."""

    buffer: InvitationBuffer
    attempts: Attempts
    results: list[EndedInvitation] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    delayed: list[DelayedInvitation] = field(default_factory=list)
    commit_size: int = 10_000
    """At how many of them a commit is full: the rest of a large group waits for the next one."""

    @property
    def room(self) -> int:
        """How many more of a large group the next commit should carry."""
        carried = len(self.results) + len(self.dead_letters) + len(self.delayed)
        return max(0, self.commit_size - carried)

    @property
    def full(self) -> bool:
        """Whether the rest of a large group should wait for another commit."""
        return not self.room

    def __bool__(self) -> bool:
        return bool(self.results or self.dead_letters or self.delayed)

    def take(self) -> tuple[list[EndedInvitation], list[DeadLetter], list[DelayedInvitation]]:
        """Remove and return all of it, for a commit."""
        taken = self.results, self.dead_letters, self.delayed
        self.results, self.dead_letters, self.delayed = [], [], []
        return taken

    def end(
        self,
        pending: PendingInvitation,
        reason: Reason,
        facts: CallFacts = NO_CALL,
        details: Mapping[str, str] = NO_DETAILS,
    ) -> None:
        """Add the result of an invitation that was never in the buffer."""
        self._settle(pending.offset)
        campaign = self.buffer.settings.campaigns.get(pending.campaign)
        ended = EndedInvitation(pending, reason, campaign, pending.attempt, facts, details)
        self.results.append(ended)

    def end_buffered(
        self, pending: PendingInvitation, reason: Reason, facts: CallFacts = NO_CALL
    ) -> None:
        """Add the result of an invitation that was in the buffer."""
        self.buffer.forget(pending)
        self.end(pending, reason, facts)

    def end_batch(
        self, call: AnsweredCall, reason: Reason, details: Mapping[str, str] = NO_DETAILS
    ) -> None:
        """Add the results of a call whose invitations all end alike, by this very attempt."""
        ended, rules, facts = call.batch.invitations, call.batch.rules, call.facts
        self.results += [
            EndedInvitation(pending, reason, rules, pending.attempt + 1, facts, details)
            for pending in ended
        ]
        offsets = [pending.offset for pending in ended]
        self.buffer.settled.settle_all(offsets)
        self.attempts.forget_all(offsets)
        self.buffer.forget_all(ended)

    def add_dead_letter(self, letter: DeadLetter) -> None:
        """Add a dead letter: it settles a record that is no invitation."""
        self._settle(letter.source["offset"])
        self.dead_letters.append(letter)

    def delay(
        self,
        pending: PendingInvitation,
        now: float,
        seconds: float | None = None,
        waits_for: str = "",
    ) -> None:
        """Add an invitation that goes to a delay topic; by default longer from its second time.
        `waits_for`: the contact rule that has no room for it."""
        self._settle(pending.offset)
        wait = wait_of(pending.delays) if seconds is None else seconds
        due_at = due_of(now, wait, pending.expires_at)
        self.delayed.append(DelayedInvitation(pending, due_at, step_for(due_at - now), waits_for))

    def _settle(self, offset: int) -> None:
        self.buffer.settled.settle(offset)
        self.attempts.forget(offset)
