"""Many seeds on several processor cores, and their figures."""

from __future__ import annotations

import gc
import multiprocessing
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from tests.simulation.world.faults import POINTS, Kind
from tests.simulation.world.judged import Verdict, judge

CHUNK = 20


def run_seeds(
    seeds: range, jobs: int, *, mutant: str | None = None, contacts: bool = False
) -> Iterator[Verdict]:
    """Verdicts in any order, as they come."""
    chunks = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    work = partial(_chunk, mutant=mutant, contacts=contacts)
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        for verdicts in pool.imap_unordered(work, chunks):
            yield from verdicts


def search(mutant: str, seeds: range, jobs: int) -> Verdict | None:
    """The first seed that shows a planted defect, and nothing without it."""
    for verdict in run_seeds(seeds, jobs, mutant=mutant):
        if verdict.wrong and not judge(verdict.seed).wrong:
            return verdict
    return None


def _chunk(seeds: range, mutant: str | None, *, contacts: bool) -> list[Verdict]:
    gc.disable()  # a world is one big heap of cycles: it is swept away as a whole
    verdicts = [judge(seed, mutant=mutant, contacts=contacts) for seed in seeds]
    gc.collect()
    return verdicts


@dataclass(slots=True)
class Summary:
    """Adds verdicts up."""

    seeds: int = 0
    violations: int = 0
    figures: Counter[str] = field(default_factory=Counter)
    points: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, verdict: Verdict) -> None:
        """One more world."""
        self.seeds += 1
        self.violations += bool(verdict.wrong)
        self.figures.update(verdict.figures)
        self.points.update(verdict.points)

    def text(self, seconds: float) -> str:
        """Averages, and how often a process was killed or frozen at each crash point."""
        count = max(1, self.seeds)
        averages = [f"  {name:18} {n / count:9.2f}" for name, n in sorted(self.figures.items())]
        points = [
            f"  {label:20} {self.points[label, Kind.KILL]:7} {self.points[label, Kind.FREEZE]:7}"
            for label in POINTS
        ]
        missing = [
            f"{label}/{kind}"
            for label in POINTS
            for kind in (Kind.KILL, Kind.FREEZE)
            if not self.points[label, kind]
        ]
        whole = f"missing: {', '.join(missing)}" if missing else "complete"
        head = f"  {'crash point':20} {'kills':>7} {'freezes':>7}"
        return "\n".join(
            [
                f"average per seed ({seconds * 1000 / count:.0f} ms of wall time each):",
                *averages,
                f"coverage of crash points: {whole}",
                head,
                *points,
            ]
        )
