"""The verdict: what was fed, what the vendors' journals say, and what the results claim.

`broken` lists every promise that was not kept, in words; nothing in it comes from the program's
own metrics or logs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from tests.chaos.arena import LANES, Arena
from tests.chaos.feeder import Feeder
from tests.chaos.observer import Observer, Seen


@dataclass(slots=True)
class Verdict:
    """Figures over all events. `untrue`: a result that the vendor's journal contradicts.

    `unexplained`: `owner_lost` without a takeover that found its batch in flight. `faulted`:
    customers of calls whose answer a vendor withheld on purpose.
    """

    events: int = 0
    lost: int = 0
    repeated: int = 0
    twice: int = 0
    untrue: int = 0
    throttled: int = 0
    faulted: int = 0
    in_doubt_at_takeovers: int = 0
    unexplained: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    by_status: Counter[str] = field(default_factory=Counter)

    def broken(self) -> list[str]:
        """The promises that were not kept."""
        bounds = {
            "events without a result": (self.lost, 0),
            "events with more than one result": (self.repeated, 0),
            "customers that the vendor accepted twice": (self.twice, 0),
            "results that the vendor's journal contradicts": (self.untrue, 0),
            "calls beyond the vendor's quota (429)": (self.throttled, 0),
            "unknown results of batches that were not in flight": (self.unexplained, 0),
            "unknown for a lost owner": (self.unknown["owner_lost"], self.in_doubt_at_takeovers),
            "unknown for a missing answer": (self.unknown["no_answer"], self.faulted),
        }
        return [f"{what}: {n}, at most {most}" for what, (n, most) in bounds.items() if n > most]


@dataclass(slots=True)
class _Journal:
    """A vendor's calls: how often each customer's call was carried out."""

    accepted: Counter[str] = field(default_factory=Counter)
    throttled: int = 0
    faulted: int = 0

    @classmethod
    def read(cls, path: Path) -> _Journal:
        journal = cls()
        for line in path.read_bytes().splitlines() if path.exists() else ():
            call = orjson.loads(line)
            journal.throttled += call["throttled"]
            if call["fault"] is not None:
                journal.faulted += len(call["recipients"])
            if call["accepted"]:
                journal.accepted.update(call["recipients"])
        return journal


def judge(arena: Arena, feeder: Feeder, observer: Observer) -> Verdict:
    """Compare all three. The feeder and the observer have stopped."""
    verdict = Verdict()
    for lane in LANES:
        journal = _Journal.read(arena.journal(lane))
        verdict.throttled += journal.throttled
        verdict.faulted += journal.faulted
        verdict.twice += sum(times > 1 for times in journal.accepted.values())
        _compare(verdict, feeder.fed[lane], observer.seen[lane], journal)
    _explain(verdict, observer)
    return verdict


def _compare(verdict: Verdict, fed: int, seen: Seen, journal: _Journal) -> None:
    verdict.events += fed
    taken = {int(each[-7:]) for each in journal.accepted}
    verdict.untrue += len(taken) - sum(number < fed for number in taken)
    for number in range(max(fed, len(seen.times))):
        times = seen.times[number] if number < len(seen.times) else 0
        verdict.lost += times == 0 and number < fed
        verdict.repeated += times > 1
        if times:
            status = seen.statuses.get(number, "accepted")
            known = status != "unknown"
            verdict.untrue += known and (number in taken) != (status == "accepted")


def _explain(verdict: Verdict, observer: Observer) -> None:
    in_doubt: dict[str, int] = {}
    for takeover in observer.takeovers:
        in_doubt |= takeover.in_doubt
    verdict.in_doubt_at_takeovers = sum(in_doubt.values())
    verdict.unexplained = sum(
        number for batch, number in observer.unknown_batches.items() if batch not in in_doubt
    )
    for (status, reason), number in observer.statuses.items():
        verdict.by_status[status] += number
        if status == "unknown":
            verdict.unknown[reason] += number
