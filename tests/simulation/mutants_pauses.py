"""Planted defects of pauses by command: what is paused is known before a call, and returns."""

from __future__ import annotations

from collections.abc import Iterator

from consumer.runtime.delay.delay_loop import DelayStage
from consumer.runtime.lane.lane_owner import LaneOwnership
from consumer.runtime.watchers.pause_watch import PauseWatch
from tests.simulation.planting import defect, rewritten


@defect
def restart_forgets_pauses() -> Iterator[None]:
    """A process knows only what is paused while it runs."""
    with rewritten(PauseWatch, "_follow", ("LogScan(reader, {place: end})", "[]")):
        yield


@defect
def pause_reaches_no_owner() -> Iterator[None]:
    """A lane knows what is paused when it is taken over, and nothing later."""
    changes = (("if now is not self._pauses:", "if self._pauses is None:"),)
    with rewritten(LaneOwnership, "_follow_pauses", *changes):
        yield


@defect
def resumed_invitations_stay_delayed() -> Iterator[None]:
    """What was paused waits on the delay topics for the rest of its hour."""
    changes = (("self.services.return_delayed(resumed)", "pass"),)
    with rewritten(LaneOwnership, "_follow_pauses", *changes):
        yield


@defect
def former_members_returns_are_lost() -> Iterator[None]:
    """A retry is obeyed by the members that had the delay topics when it was given."""
    parent = "super().assign(partitions)", "StoppableStage.assign(self, partitions)"
    with rewritten(DelayStage, "assign", parent, ("self._obeyed = ObeyedCommands()", "pass")):
        yield
