"""Worlds in which one campaign is sick, or answers go astray, and nothing else is wrong.

No process fails, no byte is lost, and the vendor takes all other calls. Then a healthy campaign
with waiting customers is called again within `LONGEST_SILENCE`, whatever the sick one is answered.

    gap = time between two calls of a campaign, less the part in which none of its customers waited

A gap is excused where calls of healthy campaigns use the quota meanwhile: that is their backlog.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

from consumer.lane.state.settings import LaneSettings, Limit
from consumer.records.call import Answer

SICK = "a"
OTHERS = ("again", "b")
"""Campaigns of the same lane: one of the same account, one of another."""

CALLS, PERIOD = 6, 5.0
"""The only limit."""

LONGEST_SILENCE = 30.0
"""Seconds: as many searches and first pauses of probes as a healthy campaign stands behind. The
silence of an account that is refused takes longer."""

BUSY = CALLS / (PERIOD + 2.5) / 2
"""Calls a second of healthy campaigns that excuse a gap: half of what the limit lets through while
answers and commits take two seconds and a half, for a permit returns `PERIOD` after the answer."""

APART = 5
"""Calls between two stray answers at least."""

_HTML = {"content-type": "text/html"}
_STRAY = Answer(409, {}, b'{"error": {"code": 13032}}')

SICKNESSES = {
    "vendor error": Answer(400, {}, b'{"error": {"code": 13000}}'),
    "credentials": Answer(401, {}, b'{"error": {"code": 13016}}'),
    "firewall": Answer(403, _HTML, b"<html>Request blocked</html>"),
    "unavailable": Answer(503, {}, b""),
    "not found": Answer(404, {}, b'{"error": {"code": 13002}}'),
    "gateway": Answer(404, {"content-type": "text/plain"}, b"no route matched"),
}


@dataclass(slots=True)
class Sickness:
    """What a vendor answers in the place of its own answer. `stray`: to any call, now and then."""

    rng: random.Random
    answer: Answer | None
    stray: float
    well: int = 0
    """Calls since the last stray answer: two of them in a row would be no stray ones."""

    @property
    def sick(self) -> str | None:
        """The sick campaign; None where answers go astray, and all are healthy."""
        return None if self.answer is None else SICK

    @property
    def healthy(self) -> tuple[str, ...]:
        """The lane's other campaigns."""
        return OTHERS if self.sick else (SICK, *OTHERS)

    def of(self, campaign: str) -> Answer | None:
        """The answer to a call of this campaign; None: the vendor's own."""
        if campaign == self.sick:
            return self.answer
        self.well += 1
        if self.well <= APART or self.rng.random() >= self.stray:
            return None
        self.well = 0
        return _STRAY


def draw(rng: random.Random) -> Sickness:
    """One of them: a sick campaign, or answers that go astray."""
    if rng.random() < 0.3:
        return Sickness(rng, None, 0.05)
    return Sickness(rng, rng.choice(list(SICKNESSES.values())), 0.0)


def with_one_limit(drawn: Mapping[str, LaneSettings]) -> dict[str, LaneSettings]:
    """The same lanes, with one short limit and room for all: what is silent then has no excuse."""
    return {
        name: replace(
            lane,
            limits=(Limit(CALLS, PERIOD),),
            share=1.0,
            campaigns={key: replace(each, max_wait=5.0) for key, each in lane.campaigns.items()},
            first_start_full=False,
            max_buffered=1_000,
            max_spilled=1_000,
        )
        for name, lane in drawn.items()
    }


@dataclass(frozen=True, slots=True)
class Gap:
    """Seconds without a call of a campaign while one of its customers waited."""

    since: float
    until: float

    @property
    def length(self) -> float:
        """Seconds."""
        return self.until - self.since


def gaps(arrived: Mapping[str, float], calls: Iterable[tuple[float, Collection[str]]]) -> list[Gap]:
    """Of one campaign. `arrived`: invitation → when; `calls`: when, and the invitations in it."""
    waiting, found, last = dict(arrived), [], 0.0
    for at, names in sorted(calls, key=itemgetter(0)):
        since = max(last, min(waiting.values(), default=at))
        found.append(Gap(since, at))
        last = at
        for name in names:
            waiting.pop(name, None)
    return found


def silences(
    arrived: Mapping[str, float],
    calls: Sequence[tuple[float, Collection[str]]],
    others: Sequence[float],
) -> list[Gap]:
    """Gaps longer than `LONGEST_SILENCE` in which `others`, calls of healthy campaigns of the same
    lane, took less than half of the quota that the lane could use."""
    long = (gap for gap in gaps(arrived, calls) if gap.length > LONGEST_SILENCE)
    return [
        gap
        for gap in long
        if sum(gap.since <= at <= gap.until for at in others) < gap.length * BUSY
    ]
