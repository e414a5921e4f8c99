"""One seed from beginning to verdict, small enough to travel between processes."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field

from tests.simulation.mutants import MUTANTS
from tests.simulation.world.checker import check
from tests.simulation.world.rules import LANES
from tests.simulation.world.world import FleetWorld


@dataclass(slots=True)
class Verdict:
    """What a world was, and all that is wrong with it."""

    seed: int
    wrong: list[str]
    figures: Counter[str] = field(default_factory=Counter)
    points: Counter[tuple[str, str]] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)


def judge(
    seed: int, *, mutant: str | None = None, tell: bool = False, contacts: bool = False
) -> Verdict:
    """Run a seed; `mutant` plants a defect, `contacts` adds contact rules. What the program raises
    is a violation as well."""
    with MUTANTS[mutant]() if mutant else nullcontext():
        world = FleetWorld(seed, tell=tell, contacts=contacts)
        try:
            wrong = check(world.run())
        except Exception as error:  # noqa: BLE001 - a defect of the program, or of the simulation
            wrong = [f"raised {type(error).__name__}: {error} {getattr(error, '__notes__', '')}"]
    return Verdict(seed, wrong, _figures(world), world.mischief.points, world.story.lines)


def _figures(world: FleetWorld) -> Counter[str]:
    figures = Counter({str(kind): times for kind, times in world.mischief.done.items()})
    figures["invitations"] = len(world.expected.invitations)
    figures["lane moves"] = len(world.watch.owners) - len(LANES)
    figures["clock steps"] = world.machines.steps
    figures["transactions"] = len(world.ended)
    figures["calls"] = len(world.wire.sent)
    figures["simulated seconds"] = int(world.scheduler.now - world.began)
    return figures
