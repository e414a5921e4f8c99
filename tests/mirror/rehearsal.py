"""The steps of docs/disaster.md, in its order, and what is counted after each."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consumer.lane.offsets.bitmap import unpack
from consumer.records.fields import rfc3339
from tests.mirror.sites import (
    DELAY,
    Feeder,
    Site,
    Sites,
    delete_topics,
    read_numbers,
    result_ids,
    wait_for_mirror,
)
from tests.support.dispatcher import Dispatcher, LiveWorld, until
from tests.support.kafka import KafkaBroker
from tests.support.mirror_maker import MirrorMaker

QUIET = 15.0
"""Seconds without a further accepted customer after which none is expected."""


@dataclass(slots=True)
class Rehearsal:
    """Two sites, A and B, and the figures so far. `broken`: what must not happen, in words."""

    world: LiveWorld
    home: Path
    first: KafkaBroker
    second: KafkaBroker
    figures: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    sites: Sites = field(init=False)

    def __post_init__(self) -> None:
        self.sites = Sites(self.world, self.home)
        self.figures["broken"] = self.broken

    @property
    def mirrored(self) -> tuple[str, ...]:
        """The topics that are mirrored: inputs, results, contacts and pauses."""
        own = ("results", "contacts", "pauses")
        return (self.world.input, *(f"{self.world.name}.{tail}" for tail in own))

    @property
    def results(self) -> str:
        """The results topic, of the same name at both sites."""
        return f"{self.world.name}.results"

    def run(self, rate: float, seconds: float, lag: float) -> None:
        """Rehearse all of it. `lag`: seconds by which the mirror is behind when A is lost."""
        self.world.start_vendor(latency={"ms": 700})
        a, b = self.sites.site("a", self.first), self.sites.site("b", self.second)
        self.world.bootstrap = self.first.bootstrap
        self.world.create_topics(a.config)
        feeder = Feeder(self.world, rate)
        began = time.time()
        running, maker = self.sites.run(a, "earliest"), self.sites.mirror(a, b, *self.mirrored)
        feeder.start()
        until("B has results", lambda: bool(_seen(b, self.results)))
        time.sleep(seconds / 2)
        maker.close()  # killed: its records since the last flush are mirrored twice
        maker = self.sites.mirror(a, b, *self.mirrored)
        self._wait_until_in_step(a, b)
        time.sleep(seconds / 2)
        maker.freeze()
        time.sleep(lag)
        self._lose(a, running, maker)
        killed = time.time()
        feeder.switch(self.second.bootstrap)
        running = self._fail_over(b, began, killed)
        time.sleep(seconds / 2)
        feeder.stop()
        self._count_failover(b, feeder, killed)
        running = self._make_good(a, b, began, running, feeder)
        self._fail_back(a, b, began, running, feeder, rate)

    def close(self) -> None:
        """End whatever still runs."""
        self.sites.begun.close()

    # -- the primary is lost --------------------------------------------------------------------

    def _lose(self, site: Site, running: Dispatcher, maker: MirrorMaker) -> None:
        site.broker.kill()
        running.kill()
        maker.close()
        self._say("A is lost")

    # -- fail over ------------------------------------------------------------------------------

    def _fail_over(self, site: Site, since: float, killed: float) -> Dispatcher:
        """Steps of the page: topics, start position, run."""
        running = self._begin_anew(site, since)
        self.figures["failed_over_after_s"] = round(time.time() - killed, 1)
        return running

    def _begin_anew(self, site: Site, since: float) -> Dispatcher:
        at = rfc3339(since)
        self.sites.operate(site, "topics", "--create")
        running = self.sites.run(site, at, "--skip-answered", at)
        said = self.sites.operate(site, "inputs", "resume", self.world.input, "--from", at, "--yes")
        self._say(said.strip())
        return running

    def _count_failover(self, site: Site, feeder: Feeder, killed: float) -> None:
        copies = read_numbers(site, self.world.input)
        known = set(copies)
        self._wait_until_quiet(known)
        fed, taken = set(feeder.fed), self.sites.accepted()
        before = {number for number, at in feeder.fed.items() if at <= killed}
        self.figures["failover"] = {
            "fed": len(fed),
            "fed_before_the_loss": len(before),
            "not_on_the_mirror": len(fed - known),
            "on_the_mirror_twice": sum(times > 1 for times in copies.values()),
            **_counts(fed, taken),
            "not_on_the_mirror_and_never_asked": len({n for n in fed - known if not taken[n]}),
        }
        if lost := sum(not taken[n] for n in known):
            self.broken.append(f"{lost} events of the mirror were never asked")
        self._say(str(self.figures["failover"]))

    # -- A comes back with its disks ------------------------------------------------------------

    def _make_good(
        self, a: Site, b: Site, since: float, running: Dispatcher, feeder: Feeder
    ) -> Dispatcher:
        """Mirror the rest of A while B stands still; then B's router knows A's last results."""
        a.broker.start()
        both = _seen(b, self.results)
        unmirrored = {n for n in _seen(a, self.results) if n not in both}
        assert running.terminate() == 0  # else B sends what A's results are yet to tell it
        with self.sites.mirror(a, b, *self.mirrored):
            ids = result_ids(a, self.results)
            until("A's results are at B", lambda: ids <= result_ids(b, self.results))
            _wait_for_all(b, self.world.input, set(read_numbers(a, self.world.input)))
        at = rfc3339(since)
        running = self.sites.run(b, None, "--skip-answered", at)
        self._wait_until_quiet(set(feeder.fed))
        taken, fed = self.sites.accepted(), set(feeder.fed)
        listed = self.sites.listed_twice(b, at)
        twice = {n for n, times in taken.items() if times > 1}
        in_flight = self._in_flight(a)
        self.figures["made_good"] = {
            **_counts(fed, taken),
            "results_that_only_A_had": len(unmirrored),
            "in_flight_when_A_was_lost": in_flight,
            "twice_that_two_results_list": len(twice & listed),
        }
        if lost := sum(not taken[n] for n in fed):
            self.broken.append(f"{lost} events were never asked")
        if len(twice - listed) > in_flight:
            self.broken.append(f"{len(twice - listed)} twice, {in_flight} were in flight")
        self._say(str(self.figures["made_good"]))
        return running

    def _in_flight(self, site: Site) -> int:
        """Customers of the batches that A's last checkpoint calls in flight."""
        self.world.bootstrap = site.broker.bootstrap
        found = self.world.checkpoint().in_flight
        return sum(len(list(unpack(batch.offsets, batch.first))) for batch in found)

    # -- fail back ------------------------------------------------------------------------------

    def _fail_back(
        self, a: Site, b: Site, since: float, running: Dispatcher, feeder: Feeder, rate: float
    ) -> None:
        """A begins as an empty cluster that mirrors B; the change is planned, under load."""
        before = self.sites.accepted()
        delete_topics(a)
        maker = self.sites.mirror(b, a, *self.mirrored)
        wait_for_mirror(b, a, self.world.input, self.results)
        self.world.bootstrap = self.second.bootstrap
        again = Feeder(self.world, rate)
        again.continue_after(feeder)
        again.start()
        time.sleep(DELAY / 3)
        assert running.terminate() == 0
        again.switch(self.first.bootstrap)
        stopped = time.time()
        wait_for_mirror(b, a, *self.mirrored)
        maker.close()
        running = self._begin_anew(a, since)
        pause = time.time() - stopped
        time.sleep(5)
        again.stop()
        fed = set(again.fed)
        self._wait_until_quiet(fed | set(feeder.fed))
        taken = self.sites.accepted()
        self.figures["failback"] = {
            **_counts(fed, taken),
            "before_it_asked_again": sum(taken[n] > before[n] for n in feeder.fed),
            "paused_s": round(pause, 1),
        }
        assert running.terminate() == 0
        wrong = sum(taken[n] != 1 for n in fed) + sum(taken[n] > before[n] for n in feeder.fed)
        if wrong:
            self.broken.append(f"{wrong} events were not asked once around the fail back")
        self._say(str(self.figures["failback"]))

    def _wait_until_in_step(self, a: Site, b: Site) -> None:
        """Until B has what A has now: a mirror that began again may be far behind."""
        for topic in (self.world.input, self.results):
            _wait_for_all(b, topic, set(_seen(a, topic)))

    # -- help -----------------------------------------------------------------------------------

    def _wait_until_quiet(self, wanted: Collection[int]) -> None:
        """Until all are asked and delays are over, or no customer was asked for a while."""
        last, since = -1, time.monotonic()
        while time.monotonic() - since < (QUIET + 2 * DELAY):
            taken = self.sites.accepted()
            if all(taken[n] for n in wanted):
                time.sleep(QUIET)
                return
            if sum(taken.values()) != last:
                last, since = sum(taken.values()), time.monotonic()
            time.sleep(1)

    @staticmethod
    def _say(text: str) -> None:
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def _seen(site: Site, topic: str) -> Counter[int]:
    try:
        return read_numbers(site, topic)
    except KeyError:  # not there yet
        return Counter()


def _wait_for_all(site: Site, topic: str, events: Collection[int]) -> None:
    until(f"{topic} has {len(events)} events", lambda: set(events) <= set(_seen(site, topic)))


def _counts(fed: Collection[int], taken: Counter[int]) -> dict[str, int]:
    """How often the vendor took these events' customers."""
    times = Counter(min(taken[n], 3) for n in fed)
    return {"once": times[1], "twice": times[2], "more": times[3], "never": times[0]}
