"""Contact seal: the contact store's word on a call, right before its intent.

    chosen ─ SealContacts ─► asked ─► granted ─(permit, within SEAL_LASTS)─► the call's intent
                               │        └─► those that a rule refuses end or are delayed
                               └─ store unavailable, or the campaign's state changed ─► wait again

One question is open at a time, and no other call is chosen meanwhile, so the permit that was free
for the choice is free for the call, unless a login took it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consumer.lane.settlement.bisection import Bisection
from consumer.lane.settlement.reservations import RETRY_AFTER, Reservations, held_back
from consumer.lane.settlement.settlement import Settlement
from consumer.lane.settlement.trials import Trial
from consumer.lane.state.commands import SealContacts, SealReason
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneCampaign
from consumer.policy.contacts.request import Decision, Verdict

SEAL_LASTS = 5.0
"""Seconds from the question to the intent, at most. With `FRESH_SECONDS` for the first byte, a call
leaves within 10 s, after which a store of another generation may grant the same person again."""


@dataclass(slots=True)
class SealQuestion:
    """A call that waits for the contact store. `rules`: its campaign when it was chosen.
    `granted`: the store's word came, and a permit is due."""

    invitations: Sequence[PendingInvitation]
    rules: LaneCampaign
    why: SealReason
    asked_at: float
    part_of: Bisection | Trial | None = None
    granted: bool = False

    @property
    def campaign(self) -> str:
        """The campaign's name."""
        return self.rules.name

    @property
    def ends_at(self) -> float:
        """When the call's intent may no longer be committed."""
        return self.asked_at + SEAL_LASTS


class ContactSeal:
    """The one question about a call. `retry_at`: none before, because the store is unavailable."""

    def __init__(self, settlement: Settlement) -> None:
        self.open: SealQuestion | None = None
        self.retry_at = 0.0
        self._settlement = settlement
        self._command: SealContacts | None = None

    @property
    def _reservations(self) -> Reservations:
        return self._settlement.reservations

    def lets_choose(self, now: float) -> bool:
        """Return whether another call may be chosen."""
        return self.open is None and now >= self.retry_at

    def ask(self, question: SealQuestion) -> None:
        """Open a question."""
        self.open = question
        self._command = SealContacts(question.invitations)

    def take_command(self) -> SealContacts | None:
        """Return the command of a question that was just opened."""
        command, self._command = self._command, None
        return command

    def answered(
        self,
        decisions: Mapping[int, Decision] | None,
        now: float,
        asked_at: float | None = None,
    ) -> None:
        """Record the store's decisions by offset; None: it is unavailable."""
        question = self.open
        assert question is not None, "the store answers what was asked"  # noqa: S101
        question.asked_at = question.asked_at if asked_at is None else asked_at
        if decisions is None:
            self.retry_at = now + RETRY_AFTER
            self.put_back(now)
            return
        refused = {
            offset for offset, said in decisions.items() if said.verdict is not Verdict.GRANTED
        }
        if not refused:
            question.granted = True
        elif question.part_of is None:
            self._drop(question, decisions, refused, now)
        else:
            self.put_back(now)
            self._drop_from_search(question.part_of, decisions, refused, now)

    def put_back(self, now: float) -> None:
        """Close the question: its invitations wait for a call again."""
        question, self.open = self.open, None
        if question is None:
            return
        part_of, settlement = question.part_of, self._settlement
        if isinstance(part_of, Trial):
            part_of.under_way = False
        elif part_of is not None:
            part_of.put_back_part()
            settlement.bisections.carry_on(part_of)
        else:
            settlement.put_back(question.campaign, question.invitations)
        settlement.parking.delay_parked([question.campaign], now)

    def _drop(
        self,
        question: SealQuestion,
        decisions: Mapping[int, Decision],
        refused: set[int],
        now: float,
    ) -> None:
        """Dismiss what the store refused of a window's call; the rest may leave."""
        kept = list[PendingInvitation]()
        for pending in question.invitations:
            if pending.offset in refused:
                self._dismiss(pending, decisions[pending.offset], now)
            else:
                kept.append(pending)
        question.invitations, question.granted = kept, True
        if not kept:
            self.open = None

    def _drop_from_search(
        self,
        search: Bisection | Trial,
        decisions: Mapping[int, Decision],
        refused: set[int],
        now: float,
    ) -> None:
        """Dismiss what the store refused of a bisection or a trial, which is asked again."""
        if isinstance(search, Trial):
            self._settlement.trials.remove(search)
            self._dismiss(search.pending, decisions[search.pending.offset], now)
            return
        for pending in search.drop(lambda pending: pending.offset in refused):
            self._dismiss(pending, decisions[pending.offset], now)
        self._settlement.bisections.end_unfit(search, now)

    def _dismiss(self, pending: PendingInvitation, decision: Decision, now: float) -> None:
        if decision.verdict is Verdict.LOST:
            self._reservations.add_again(pending)
            return
        held = held_back(decision)
        assert held is not None, "it was refused"  # noqa: S101
        self._settlement.hold_back.dismiss(pending, held, now)
