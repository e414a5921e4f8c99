"""Judges the year on real Kafka by its results and by the vendors' double's own record.

Neither the program nor its metrics are trusted: each event has one result, each call of the double
belongs to one, and every `contact_limit` is right by the calls of its household.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from benchmarks.rules.live_compare import (
    WINDOW,
    Decided,
    by_household,
    cause_of,
    play_virtually,
)
from benchmarks.rules.live_watch import Ended
from benchmarks.rules.year import DAY, may_call
from consumer.demo.baskets import Basket
from consumer.demo.contacts import contact
from consumer.records.result import Result

AT_ONCE = 180.0
"""Seconds within which invitations of a household were decided at once; a kill takes its time."""


@dataclass(slots=True)
class LiveJudge:
    """One run's events, results and calls."""

    events: Sequence[Basket]
    results: Mapping[str, list[Ended]]
    journal: Path
    _households: dict[int, list[Decided]] = field(default_factory=dict)
    _calls: dict[int, list[float]] = field(default_factory=dict)
    _virtual: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._calls = self._read_journal()
        self._households = by_household(self.events, self._single_results())

    def _single_results(self) -> dict[str, tuple[float, Result]]:
        return {event: (found[0].at, found[0].result) for event, found in self.results.items()}

    def _read_journal(self) -> dict[int, list[float]]:
        """Return household → when the vendor acted."""
        household_of: dict[str, int] = {}
        for household in {basket.household for basket in self.events}:
            known = contact(household)
            household_of |= {known.phone: household, known.email: household}
        calls: dict[int, list[float]] = defaultdict(list)
        for line in self.journal.read_text().splitlines():
            call = json.loads(line)
            if call["accepted"]:
                for recipient in call["recipients"]:
                    calls[household_of[recipient]].append(call["time"])
        return calls

    # -- laws ---------------------------------------------------------------------------------

    def wrong(self) -> list[str]:
        """Return what is wrong, in words."""
        found = [*self._one_each(), *self._vendor_calls(), *self._results_agree()]
        return [*found, *self._limits_are_right(), *self._differences()]

    def _one_each(self) -> Iterator[str]:
        names = {f"basket-{basket.id}" for basket in self.events}
        repeated = sum(len(found) != 1 for found in self.results.values())
        missing = len(names - self.results.keys())
        strange = len(self.results.keys() - names)
        if repeated or missing or strange:
            yield f"{missing} events without a result, {repeated} with several, {strange} strange"

    def _vendor_calls(self) -> Iterator[str]:
        """Check the double's record alone: rules of time, and 30 days between two calls."""
        for household, calls in self._calls.items():
            for before, after in pairwise(sorted(calls)):
                if after - before < WINDOW:
                    days = (after - before) / DAY
                    yield f"household {household} was asked twice within {days:.4f} d"
            for call in calls:
                if not may_call(call):
                    yield f"household {household} was called in quiet hours"

    def _results_agree(self) -> Iterator[str]:
        """Check that each asked event has one call of the double, after its delay was over."""
        for household, decided in self._households.items():
            calls = list(self._calls.get(household, ()))
            for one in decided:
                if not one.asked:
                    continue
                near = [call for call in calls if abs(call - one.at) < AT_ONCE]
                if not near and one.outcome.startswith("accepted"):
                    yield f"{one.event} is accepted, and the vendor has no call"
                for call in near[:1]:
                    calls.remove(call)
                if one.at < one.due - 1:
                    yield f"{one.event} was called {one.due - one.at:.0f} s early"
            if calls:
                yield f"household {household}: {len(calls)} calls without a result"

    def _limits_are_right(self) -> Iterator[str]:
        """Check each `contact_limit` by the household's calls, in doubt or not."""
        for decided in self._households.values():
            asked = [one.at for one in decided if one.asked]
            for one in decided:
                if one.outcome.endswith(("/contact_limit", "/outranked")) and not any(
                    at - AT_ONCE <= one.at < at + WINDOW + AT_ONCE for at in asked
                ):
                    yield f"{one.event} was held back, and its household has no call in 30 days"

    # -- the virtual clock --------------------------------------------------------------------

    def _differences(self) -> Iterator[str]:
        """Compare with the virtual clock; count causes, and yield what has none."""
        ends = play_virtually(self.events)
        virtual = by_household(self.events, ends)
        self._virtual = Counter(one.outcome for decided in virtual.values() for one in decided)
        for household, live in self._households.items():
            there = {one.event: one for one in virtual[household]}
            here = sorted(live, key=lambda one: one.due)
            first = next((one for one in here if one.outcome != there[one.event].outcome), None)
            if first is None:
                self.causes["same"] += 1
                continue
            cause = cause_of(first, live, there)
            self.causes[cause or "none"] += 1
            if cause is None:
                yield f"{first.event} of household {household} differs without a cause"

    def report(self) -> list[str]:
        """Return counts beside those of the virtual clock, and the households by cause."""
        live = Counter(one.outcome for decided in self._households.values() for one in decided)
        names = sorted(live.keys() | self._virtual.keys())
        lines = [f"  {'':40} {'Kafka':>8} {'virtual':>8}"]
        lines += [f"  {name:40} {live[name]:8,} {self._virtual[name]:8,}" for name in names]
        return [*lines, f"  households by their first difference: {dict(self.causes)}"]
