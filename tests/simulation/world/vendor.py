"""Both vendors' doubles: strict counters, moods, sessions, and the truth about invited customers.

They judge a request when it arrives, in true time; `wire` decides whether it does.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from email.utils import formatdate
from zlib import crc32

import orjson

from consumer.lane.state.commands import Batch
from consumer.lane.state.settings import LaneSettings
from consumer.records.call import Answer
from tests.simulation.vendor_counters import KINDS, VendorCounter
from tests.simulation.world import odd_answers, partly
from tests.simulation.world.sickness import Sickness

SERVERS = 3

LIVES = (30.0, 120.0, 3_600.0)
"""Seconds that a session may last."""

ACCEPTED, REJECTED, TROUBLE, UNCLEAR, CAMPAIGN = range(5)
MOODS = ([90, 2, 4, 4, 0], [70, 8, 14, 8, 0], [60, 5, 5, 25, 5], [100, 0, 0, 0, 0])
"""Weights of the verdicts above; a seed has one mood for each vendor. The second is no chance: so
many customers in a hundred are bad, and one of them has a whole call refused."""

_PISANO = {
    ACCEPTED: Answer(200, {}, b"{}"),
    REJECTED: Answer(422, {}, b'{"error": {"code": 13015}}'),
    TROUBLE: Answer(425, {}, b""),
    UNCLEAR: Answer(503, {}, b""),
    CAMPAIGN: Answer(404, {}, b'{"error": {"code": 13002}}'),
}
_RADAR = {
    ACCEPTED: Answer(200, {}, b'{"code": "00000"}'),
    REJECTED: Answer(400, {}, b'{"code": "00042"}'),
    TROUBLE: Answer(425, {}, b""),
    UNCLEAR: Answer(503, {}, b""),
    CAMPAIGN: Answer(403, {}, b'{"code": "40300"}'),
}
_PARTLY = {
    ACCEPTED: partly.ACCEPTED,
    REJECTED: partly.REFUSED,
    TROUBLE: partly.TROUBLE,
    UNCLEAR: partly.UNCLEAR,
    CAMPAIGN: partly.CAMPAIGN,
}
_FIREWALL = Answer(403, {"content-type": "text/html"}, b"<html>Request blocked</html>")
_NO_SESSION = Answer(401, {}, b"")


@dataclass(slots=True)
class Truth:
    """What really happened at the vendors."""

    acted: Counter[str] = field(default_factory=Counter)
    """Invitation id → how often the vendor carried out a call with it."""
    refused: list[str] = field(default_factory=list)
    """Calls and logins that a counter refused: what, and when."""
    bad: set[str] = field(default_factory=set)
    """Invitations whose recipient a vendor refuses, of those that it was asked about."""
    unclear: set[str] = field(default_factory=set)
    """Batches whose caller never got a clear answer."""
    refused_alone: Counter[str] = field(default_factory=Counter)
    """Invitation → how often an odd answer refused a call with it alone."""


class VendorDouble:
    """One lane's vendor. `noise`: now and then a 429 that no counter of ours explains."""

    def __init__(
        self, lane: LaneSettings, truth: Truth, rng: random.Random, *, noise: bool
    ) -> None:
        self._rng = rng
        self._truth = truth
        self._lane = lane
        self._noise = 0.03 if noise else 0.0
        self.odd = False
        """Whether it answers as no page says, now and then."""
        self.firewall: set[str] = set()
        """Invitations whose calls never pass what stands before it."""
        self.sickness: Sickness | None = None
        self.partly: str | None = None
        """The campaign whose calls are accepted in part."""
        self._mood = rng.choice(MOODS)
        kind = rng.choice(KINDS)
        self._counters: list[VendorCounter] = [
            kind(limit.calls, limit.period, rng) for limit in lane.limits
        ]
        # The lane's `skew` (2 s) covers these, and what our own processes' clocks differ by.
        self._clocks = [rng.uniform(0.0, lane.skew / 2) for _ in range(SERVERS)]
        self._sessions: dict[str, float] = {}
        self._denied = 0.1

    def be_well(self, sickness: Sickness | None = None) -> None:
        """But for this sickness."""
        self.sickness, self._mood = sickness, MOODS[-1]
        self._noise = self._denied = 0.0

    def sibling(self, rng: random.Random) -> VendorDouble:
        """The same vendor, with counters of its own for another quota."""
        made = VendorDouble(self._lane, self._truth, rng, noise=self._noise > 0.0)
        made._mood, made.odd, made.firewall = self._mood, self.odd, self.firewall
        made.partly = self.partly
        return made

    def asked(self, batch: Batch, token: str, now: float) -> Answer:
        """A sharing call arrived at `now` (true time)."""
        refusal = self._over_quota(batch.id, now)
        if refusal is not None:
            return refusal
        radar = bool(self._lane.logins)
        if radar and now >= self._sessions.get(token, 0.0):
            return _NO_SESSION
        return self._answer(batch, radar=radar)

    def _answer(self, batch: Batch, *, radar: bool) -> Answer:
        if refused := {held.invitation["id"] for held in batch.invitations} & self.firewall:
            self._truth.bad |= refused
            return _FIREWALL
        if answer := self._sick(batch):
            return answer
        verdict = self._verdict(batch)
        if self.odd and verdict == ACCEPTED and (answer := self._oddly(batch)):
            return answer
        in_part = batch.campaign == self.partly
        if in_part and verdict == REJECTED and (answer := self._in_part(batch)):
            return answer
        if verdict == ACCEPTED or (verdict == UNCLEAR and self._rng.random() < 0.5):
            self._truth.acted.update(held.invitation["id"] for held in batch.invitations)
        if verdict == UNCLEAR:
            self._truth.unclear.add(batch.id)
        return (_PARTLY if in_part else _RADAR if radar else _PISANO)[verdict]

    def _in_part(self, batch: Batch) -> Answer | None:
        """All but the bad ones are invited, and the answer says so to those that read it all."""
        names = [held.invitation["id"] for held in batch.invitations]
        answer = partly.in_part(names, self._truth.bad, self._rng)
        if answer is not None:
            self._truth.acted.update(name for name in names if name not in self._truth.bad)
            self._truth.unclear.add(batch.id)
        return answer

    def _sick(self, batch: Batch) -> Answer | None:
        answer = self.sickness.of(batch.campaign) if self.sickness else None
        if answer:
            self._truth.unclear.add(batch.id)
        return answer

    def _oddly(self, batch: Batch) -> Answer | None:
        """Now and then an odd answer, with which one customer is not refused alone too often."""
        drawn = odd_answers.draw(self._rng)
        if drawn is None:
            return None
        odd, acted = drawn
        names = [held.invitation["id"] for held in batch.invitations]
        if odd.refuses and len(names) == 1:
            if self._truth.refused_alone[names[0]] == odd_answers.REFUSED_ALONE:
                return None
            self._truth.refused_alone.update(names)
        if acted:
            self._truth.acted.update(names)
        self._truth.unclear.add(batch.id)
        return odd.answer

    def _verdict(self, batch: Batch) -> int:
        weights = list(self._mood)
        share, weights[REJECTED] = weights[REJECTED], 0
        names = (held.invitation["id"] for held in batch.invitations)
        bad = {name for name in names if crc32(name.encode()) % 100 < share}
        self._truth.bad |= bad
        drawn = self._rng.choices(range(5), weights)[0]
        return REJECTED if bad and drawn in (ACCEPTED, UNCLEAR) else drawn

    def logged_in(self, now: float) -> Answer:
        """A login arrived at `now`."""
        refusal = self._over_quota("login", now)
        if refusal is not None:
            return refusal
        if self._rng.random() < self._denied:
            return Answer(self._rng.choice([401, 503]), {}, b"")
        token = f"token-{len(self._sessions)}"
        expires_at = now + self._rng.choice(LIVES)
        self._sessions[token] = expires_at
        date = formatdate(now, usegmt=True)
        return Answer(200, {"date": date}, orjson.dumps({"token": token, "expiration": expires_at}))

    def _over_quota(self, what: str, now: float) -> Answer | None:
        seen = now + self._rng.choice(self._clocks)
        admitted = [counter.admit(seen) for counter in self._counters]  # each sees every call
        if not all(admitted):
            self._truth.refused.append(f"{what} of lane {self._lane.name} at {now:.3f}")
        elif self._rng.random() >= self._noise:
            return None
        wait = self._rng.choice(["", "1", "7"])
        return Answer(429, {"retry-after": wait} if wait else {}, b"")
