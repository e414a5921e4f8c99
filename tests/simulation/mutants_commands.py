"""Planted defects of operators' commands: what compare and set is for (docs/decisions/0010)."""

from __future__ import annotations

from collections.abc import Iterator

from consumer.runtime import input_stops
from consumer.runtime.stoppable_stage import StoppableStage
from tests.simulation.planting import defect, rewritten


@defect
def stale_command_is_obeyed() -> Iterator[None]:
    """An input goes on where a command says, whatever the state is by now."""
    seen = "if committed is None or max(-1, committed.offset) != command.seen.get(partition):"
    changes = (seen, "if committed is None:"), ("if stands:", "if True:")
    with rewritten(input_stops, "_seen", *changes):
        yield


@defect
def resumed_input_stays_stopped() -> Iterator[None]:
    """A partition that stands still is not looked at again, whatever an operator commands."""
    with rewritten(
        StoppableStage, "_must_rejoin", ("return self.stops.any_mended", "return False and ")
    ):
        yield
