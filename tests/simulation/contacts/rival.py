"""A rival lane of another process: invitations to the same persons, over the same store."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass

from consumer.contacts.book import SEAL_SECONDS, ContactBook, Ownership
from consumer.errors import StoreUnavailable
from consumer.policy.contacts.request import Request, Verdict
from consumer.policy.contacts.settling import Outcome, Settled

LANE = "rival"
RETRY_AFTER = 1.0
PATIENCE = 60.0
"""Seconds after which an invitation that is not granted expires."""


@dataclass(slots=True)
class RivalInvitation:
    """An invitation and how far it is."""

    request: Request
    began: float
    step: str = "reserve"


class Rival:
    """Keeps the contract of `ContactBook`. `at`: runs something later; `settle`: writes a result;
    `sent`: tells the history."""

    def __init__(
        self,
        book: ContactBook,
        rng: random.Random,
        now: Callable[[], float],
        at: Callable[[float, Callable[[], None]], None],
        settle: Callable[[Settled], None],
        sent: Callable[[str], None],
    ) -> None:
        self._book, self._rng, self._now, self._at = book, rng, now, at
        self._settle, self._sent = settle, sent
        self._owner = Ownership(LANE, 1)
        self._with_vendor: dict[str, Request] = {}
        self._waiting: list[RivalInvitation] = []
        self._busy = False
        self.open = 0
        self.verdicts: list[str] = []

    def invite(self, request: Request, *, at_once: bool = False) -> None:
        """Begin an invitation. `at_once`: between another process's read and its write."""
        self.open += 1
        invitation = RivalInvitation(request, self._now())
        self._waiting.append(invitation)
        if at_once and not self._busy:
            self._turn(invitation)
        else:
            self._again(invitation, 0.0)

    def hurry(self, people: Collection[str]) -> None:
        """Seal at once what is about to be sealed for one of these persons."""
        for invitation in list(self._waiting):
            about_to = invitation.step == "seal" and not self._busy
            if about_to and not set(people).isdisjoint(invitation.request.persons):
                self._turn(invitation)

    def report(self) -> None:
        """Report what is with the vendor to a store of another generation."""
        try:
            self._book.take_over(self._owner, list(self._with_vendor.values()))
        except StoreUnavailable:
            return

    def _again(self, invitation: RivalInvitation, seconds: float) -> None:
        self._at(self._now() + seconds, lambda: self._turn(invitation))

    def _turn(self, invitation: RivalInvitation) -> None:
        if invitation not in self._waiting:
            return
        if self._now() - invitation.began > PATIENCE:
            self._end(invitation, "released")
            return
        self._busy = True
        try:
            if invitation.step == "reserve":
                self._reserve(invitation)
            else:
                self._seal(invitation)
        except StoreUnavailable:
            self._again(invitation, RETRY_AFTER)
        finally:
            self._busy = False

    def _reserve(self, invitation: RivalInvitation) -> None:
        (decision,) = self._book.reserve([invitation.request], self._owner)
        self.verdicts.append(str(decision.reason or decision.verdict))
        if decision.verdict is Verdict.GRANTED:
            invitation.step = "seal"
            self._again(invitation, self._rng.expovariate(0.3))
        else:
            self._end(invitation, "released")

    def _seal(self, invitation: RivalInvitation) -> None:
        name, asked_at = invitation.request.id, self._now()
        (decision,) = self._book.seal([name], self._owner)
        self.verdicts.append(str(decision.reason or decision.verdict))
        if decision.verdict is Verdict.GRANTED:
            self._waiting.remove(invitation)
            self._with_vendor[name] = invitation.request
            leaves_at = asked_at + self._rng.uniform(0.0, SEAL_SECONDS * 0.9)
            self._at(leaves_at, lambda: self._leave(invitation, asked_at))
        elif decision.verdict is Verdict.LOST:
            invitation.step = "reserve"
            self._again(invitation, 0.1)
        else:
            self._end(invitation, "released")

    def _leave(self, invitation: RivalInvitation, asked_at: float) -> None:
        left_at = self._now()
        outcome: Outcome = self._rng.choices(("sent", "unknown", "released"), weights=(8, 1, 1))[0]
        if left_at > asked_at + SEAL_SECONDS:
            outcome = "released"
        if outcome != "released":
            self._sent(invitation.request.id)
        done_at = left_at + self._rng.expovariate(0.3)
        self._at(done_at, lambda: self._answered(invitation, outcome, left_at))

    def _answered(self, invitation: RivalInvitation, outcome: Outcome, left_at: float) -> None:
        self._with_vendor.pop(invitation.request.id, None)
        self.open -= 1
        self._settle(Settled(invitation.request, outcome, left_at))

    def _end(self, invitation: RivalInvitation, outcome: Outcome) -> None:
        self._waiting.remove(invitation)
        self.open -= 1
        self._settle(Settled(invitation.request, outcome, self._now()))
