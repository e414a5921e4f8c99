"""A lane's world whose vendor gives every kind of answer, about the same customers each time.

Some customers are bad in any company, on some the vendor stumbles, some a firewall
refuses; whole campaigns are sick from the start until they are mended, credentials are refused for
a while, campaigns and accounts are misconfigured, and the config changes. From `CALM` on the config
is the first again, no owner crashes, and only the bad ones are refused: the very lane that went
through all of it must come to rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from consumer.lane.lane import Lane
from consumer.lane.state.commands import Batch, Command, SealReason, Send
from consumer.lane.state.settings import LaneSettings
from consumer.records.call import Outcome
from tests.simulation.lane_world import LaneWorld
from tests.support.lanes import (
    ACCEPTED,
    BAD_RECIPIENT,
    EXPIRED_TOKEN,
    GATEWAY,
    NOW,
    PARKED,
    REFUSED,
    SILENCE,
    THROTTLED,
    TROUBLE,
    VENDOR_ERROR,
)

CALM = NOW + 400.0
"""From then on the vendor is well; calls may still fail on their way."""

SPINS = 20
"""Moments in a row at one time, with nothing to do, after which a lane runs in circles."""

ANSWERS = (ACCEPTED, TROUBLE, VENDOR_ERROR, SILENCE, PARKED, REFUSED, THROTTLED)
SICK = (VENDOR_ERROR, REFUSED, GATEWAY, SILENCE, TROUBLE)
MOODS = (
    (90, 2, 2, 2, 1, 1, 2),
    (60, 8, 8, 8, 4, 4, 8),
    (20, 20, 20, 20, 5, 10, 5),
    (97, 0, 0, 0, 3, 0, 0),
    (100, 0, 0, 0, 0, 0, 0),
)


class LawError(AssertionError):
    """A call left that should not have."""


class SpinError(AssertionError):
    """The lane wants to be woken at once, again and again, and does nothing."""


class AnswersWorld(LaneWorld):
    """One seed of it; in some, campaign `b` has a vendor account of its own."""

    def __init__(self, seed: int, lane_type: type[Lane] = Lane) -> None:
        super().__init__(seed, lane_type, random_429s=False)
        rng = self.rng
        self.mood = rng.choice(MOODS)
        share, stumbling = rng.choice([0.0, 0.05, 0.2, 0.6, 1.0]), rng.choice([0.0, 0.0, 0.1])
        names = [f"i{each.origin}" for each in self.records]
        self.bad = {name for name in names if rng.random() < share}
        self.stumbled = {name for name in names if rng.random() < stumbling}
        self.walls = {
            name: rng.choice((REFUSED, GATEWAY))
            for name in names
            if rng.random() < rng.choice([0.0, 0.0, 0.05])
        }
        """Invitations whose calls a firewall refuses."""
        self.sick = {
            name: (rng.choice(SICK), NOW + rng.uniform(50, CALM - NOW))
            for name in self.settings.campaigns
            if rng.random() < 0.15
        }
        """Campaign → what its calls are answered until when."""
        begins = NOW + rng.uniform(0, 300)
        self.denied = (begins, begins + rng.choice([0.0, 0.0, 20.0, 100.0]))
        """From when until when the credentials of account `pisano` are refused."""
        self.asked = 0
        self._spins = 0
        self._calling: Batch | None = None
        self._renewed_at = 0.0
        self._shut: dict[tuple[int, str], float] = {}  # (epoch, vendor) → credentials refused at
        self._refused: frozenset[int] = frozenset()
        self._suspected: dict[tuple[int, str], tuple[float, frozenset[int]]] = {}
        self._mortal()

    def _mortal(self) -> None:
        """A customer that the vendor fails or a firewall refuses may wait until it expires."""
        self.records = [
            replace(each, expires_at=each.arrived + self.rng.uniform(60, 900))
            if f"i{each.origin}" in self.stumbled | self.walls.keys() and each.expires_at is None
            else each
            for each in self.records
        ]

    def _settings(self) -> LaneSettings:
        made, rng = super()._settings(), self.rng
        two = rng.random() < 0.3
        campaigns = {
            name: replace(
                each,
                max_batch=each.max_batch * rng.choice([1, 4]),
                max_wait=rng.choice([5.0, 60.0]),
                bisect_calls=rng.choice([0, 2, 10, 200]),
                vendor="other" if two and name == "b" else each.vendor,
            )
            for name, each in made.campaigns.items()
        }
        return replace(
            made, campaigns=campaigns, max_buffered=made.max_buffered * rng.choice([1, 10])
        )

    def _turn(self) -> bool:
        if self.now < CALM and self.rng.random() < 0.03:
            self._reload()
        elif self.now >= CALM and self.handovers:
            self.handovers = 0.0
            self.lane.reconfigure(self.settings, self.now)
        before = self._happened()
        over = super()._turn()
        self._spins = self._spins + 1 if before == self._happened() else 0
        if self._spins > SPINS and not over:
            raise SpinError(f"awake at {self.now - NOW:.3f}, wants {self.lane.wake_at - NOW:.3f}")
        return over

    def _happened(self) -> tuple[object, ...]:
        return self.now, len(self.history.commits), self.asked, len(self._due), self._position

    def _reload(self) -> None:
        """Another config for a while, or another secret."""
        rng, was = self.rng, self.settings
        campaigns = dict(was.campaigns)
        if rng.random() < 0.7:
            name = rng.choice(list(campaigns))
            if rng.random() < 0.5:
                del campaigns[name]
            else:
                smaller = rng.randint(1, 4)
                campaigns[name] = replace(campaigns[name], max_batch=smaller, bisect_calls=3)
        relogin = {"pisano", "radar", "other"} if rng.random() < 0.3 else set()
        if relogin:
            self._shut.clear()
            self._suspected.clear()
            self._renewed_at = self.now
        self.lane.reconfigure(replace(was, campaigns=campaigns), self.now, relogin=relogin)

    def _may_crash(self) -> None:
        if self.now < CALM:
            super()._may_crash()

    def _carry_out(self, command: Command) -> None:
        if isinstance(command, Send):
            self._lawful(command.batch)
        super()._carry_out(command)

    def _lawful(self, batch: Batch) -> None:
        if len(batch.invitations) > batch.rules.max_batch:
            raise LawError("larger than the config allows")
        refused_at = self._shut.get((self.epoch, batch.rules.vendor), math.inf)
        if batch.sealed_at > refused_at and len(batch.invitations) > 1:
            raise LawError("more than a probe to an account that is refused")

    def _send(self, batch: Batch) -> None:
        self._calling = batch
        super()._send(batch)
        self._calling = None

    def _exchange(self, answer: Callable[[Outcome], None], judge: Callable[[], Outcome]) -> None:
        batch, place = self._calling, self.epoch

        def recorded(outcome: Outcome) -> None:
            if batch is not None:
                self._note((place, batch.rules.vendor), batch, outcome)
            answer(outcome)

        super()._exchange(recorded, judge)

    def _note(self, account: tuple[int, str], batch: Batch, outcome: Outcome) -> None:
        """The first refusal is a suspicion; two in a row, of different customers, shut the account
        to all but probes, until a call is accepted that was sealed later."""
        if not outcome.unattributed:
            self._shut.pop(account, None)
            self._suspected.pop(account, None)
        elif batch.sealed_at >= self._renewed_at and batch.why is not SealReason.PART:
            offsets = frozenset(held.offset for held in batch.invitations)
            again, self._refused = not offsets.isdisjoint(self._refused), self._refused | offsets
            if again:
                return  # that may be about its customers
            at, before = self._suspected.setdefault(account, (self.now, offsets))
            if batch.sealed_at >= at and offsets.isdisjoint(before):
                self._shut[account] = self.now

    def _verdict(self, batch: Batch) -> Outcome:
        self.asked += 1
        whole = self._for_any_batch(batch)
        if whole is not ACCEPTED:
            return whole
        names = {invitation.invitation["id"] for invitation in batch.invitations}
        if walls := names & self.walls.keys():
            return self.walls[min(walls)]
        if names & self.stumbled:
            return VENDOR_ERROR
        return BAD_RECIPIENT if names & self.bad else ACCEPTED

    def _for_any_batch(self, batch: Batch) -> Outcome:
        """Return what the account, the campaign or chance says of any call."""
        if batch.rules.vendor == "radar" and self.now >= self._session_ends:
            return EXPIRED_TOKEN
        if batch.rules.vendor == "pisano" and self.denied[0] <= self.now < self.denied[1]:
            return REFUSED
        how, until = self.sick.get(batch.campaign, (ACCEPTED, 0.0))
        if self.now < until:
            return how
        return self.rng.choices(ANSWERS, self.mood)[0] if self.now < CALM else ACCEPTED
