"""The year of real baskets on real Kafka: dispatchers as processes, killed and restarted.

    python -m benchmarks.rules.year_live [--days N] [--store valkey|sqlite] [--trouble-every DAYS]

The events and rules are those of `benchmarks.rules.year`. Broker, contact store, the vendors'
double and two dispatchers (one with SQLite, which one process holds) live by a clock that sleeps:
once all that is due has its result, it jumps to the next of five moments of the day. Every so many
days the lane's owner is killed (-9) while its call has no answer, and between two such days the
store, which has saved nothing, is killed while invitations are due. The run fails unless each event
has one result, and results and the double's own record keep the rules (`live_judge`). It then
compares with the virtual clock, household by household. Needs gcc, and a Valkey or Redis server.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path

from benchmarks.rules.live_judge import LiveJudge
from benchmarks.rules.live_scene import LiveScene
from benchmarks.rules.live_watch import LiveWatch
from benchmarks.rules.sleeping_clock import SleepingClock
from benchmarks.rules.year import ZONE, may_call
from consumer.demo.baskets import Basket, baskets, event_of

MOMENTS = ("08:55", "11:30", "14:40", "17:50", "20:59")
"""When the machine wakes, by the customers' clock. The first only routes what the night brought."""

DAYS_AFTER = 2
"""Until the last event's invitation is due, in quiet days."""

PATIENCE = 120.0
"""Seconds of real time for what is due at a moment; a takeover takes ten."""


LET_RETURN = 0.02
"""Seconds of real time for a commit to return after its records are visible."""


@dataclass(slots=True)
class LiveYear:
    """Drives one run: produce, wait until all that is due has ended, sleep."""

    scene: LiveScene
    watch: LiveWatch
    trouble_every: int
    produced: int = 0
    _moment: float = 0.0
    _deadline: float = 0.0

    def run(self, events: list[Basket]) -> None:
        """Play all events, and the days after them until the last has ended."""
        coming = 0
        trouble = ""
        started = time.perf_counter()
        for number, day in enumerate(_days(events)):
            trouble = self._trouble_of(number) or trouble
            for moment in _moments(day):
                self.scene.clock.sleep_until(moment)
                before = coming
                while coming < len(events) and events[coming].time <= moment:
                    coming += 1
                if self._step(events[before:coming], moment, trouble):
                    trouble = ""
            if number % 10 == 0:
                ended = self.watch.ended
                seconds = time.perf_counter() - started
                sys.stdout.write(f"  {day:%d %b}: {ended:,} of {coming:,} ended, {seconds:.0f} s\n")
                sys.stdout.flush()

    def _trouble_of(self, number: int) -> str:
        """Return which trouble comes on a day, if any: kills, and losses of the store between."""
        half = max(1, self.trouble_every // 2)
        if number == 0 or number % half:
            return ""
        return "kill" if number // half % 2 else "store"

    def _step(self, due: list[Basket], moment: float, trouble: str) -> bool:
        """Play one moment. Return whether its trouble came."""
        self._moment, self._deadline = moment, time.monotonic() + PATIENCE
        before = self.scene.hang_calls() if trouble == "kill" else 0
        for basket in due:
            self.scene.produce(str(basket.household).encode(), event_of(basket, 0.0))
        self.scene.flush()
        self.produced += len(due)
        came = False
        if trouble == "kill":
            came = self.scene.kill_sender(before, self._is_open)
        elif trouble == "store" and may_call(moment) and self._is_open():
            self.scene.lose_store()
            came = True
        while self._is_open():
            pass
        time.sleep(LET_RETURN)
        return came

    def _is_open(self) -> bool:
        """Return whether something due has not ended. Raises TimeoutError if it never does."""
        self.watch.read()
        if self.watch.settled(self.produced, self._moment):
            return False
        if time.monotonic() > self._deadline:
            raise TimeoutError(f"{self.produced} produced, {self.watch.describe()}")
        return True


def _days(events: list[Basket]) -> Iterator[datetime]:
    first, last = (datetime.fromtimestamp(events[at].time, ZONE) for at in (0, -1))
    for number in range((last.date() - first.date()).days + 1 + DAYS_AFTER):
        yield first + timedelta(number)


def _moments(day: datetime) -> Iterator[float]:
    for moment in MOMENTS:
        at = datetime.combine(day.date(), clock_time.fromisoformat(moment), ZONE)
        yield at.timestamp()


def _events(days: int | None) -> list[Basket]:
    found = list(baskets())
    if days is None:
        return found
    return [basket for basket in found if basket.time < found[0].time + days * 86400]


def main() -> int:
    """Run once; print counts and what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int)
    parser.add_argument("--store", choices=["valkey", "sqlite"], default="valkey")
    parser.add_argument("--trouble-every", type=int, default=30, metavar="DAYS")
    parser.add_argument("--home", type=Path, help="keep logs and data here")
    chosen = parser.parse_args()
    events = _events(chosen.days)
    with tempfile.TemporaryDirectory() as folder:
        home = chosen.home or Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        start = datetime.fromtimestamp(events[0].time, UTC).replace(hour=8)
        clock = SleepingClock(home, start.timestamp())
        senders = 2 if chosen.store == "valkey" else 1
        began = time.perf_counter()
        with LiveScene(home, clock, chosen.store, senders) as scene:
            watch = LiveWatch(scene.bootstrap, scene.topics)
            LiveYear(scene, watch, chosen.trouble_every).run(events)
            seconds = time.perf_counter() - began
            watch.read(1.0)
            codes, vendor = scene.stop(), scene.vendor()
            watch.read(1.0)
            judge = LiveJudge(events, watch.results, scene.journal)
        print(
            f"{len(events):,} events in {seconds:.0f} s; {scene.kills} kills of the owner, "
            f"{scene.store_losses} losses of the store; exit codes {codes}"
        )
    wrong = judge.wrong()
    if any(codes) or vendor["throttled"]:
        wrong.append(f"exit codes {codes}, {vendor['throttled']} 429s")
    print("\n".join([*judge.report(), *wrong[:20]]) if wrong else "\n".join(judge.report()))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
