"""Planted defects about what a Kafka client may hand out: each outlived the unit tests once."""

from __future__ import annotations

from collections.abc import Iterator

from consumer.runtime import input_stops
from consumer.runtime.delay import delay_loop
from consumer.runtime.delay.delay_loop import DelayStage
from consumer.runtime.group_consumer import GroupConsumer
from consumer.runtime.lane.lane_loop import LaneStage
from consumer.runtime.lane.lane_owner import LaneOwnership
from tests.simulation.planting import defect, rewritten


def _records_kept_by(stage: str) -> tuple[str, str]:
    """The change after which this stage gets records of partitions revoked during the poll."""
    known = "if self._revoked_during_poll:"
    return known, f"if self._revoked_during_poll and self.run.name != {stage!r}:"


@defect
def revoked_records_are_routed() -> Iterator[None]:
    """The router routes what it read of a partition that was revoked in the same poll."""
    with rewritten(GroupConsumer, "poll", _records_kept_by("router")):
        yield


@defect
def regained_lane_keeps_old_records() -> Iterator[None]:
    """A lane that went and came back in one poll keeps what was read for its former owner."""
    regained = "if self._revoked_during_poll & places_of(partitions):"
    with (
        rewritten(GroupConsumer, "_on_assign", (regained, "if False:")),
        rewritten(GroupConsumer, "poll", ("if self._revoked_during_poll:", "if False:")),
    ):
        yield


@defect
def stale_records_follow_a_seek() -> Iterator[None]:
    """The delay stage takes what was fetched before a seek for what follows it."""
    with rewritten(DelayStage, "_is_due", ("if head != offset:", "if False:")):
        yield


@defect
def thawed_member_stops_a_topic() -> Iterator[None]:
    """A member that was frozen for long takes what others deleted meanwhile for a lost topic."""
    readable = "if found.offset >= 0 and out_of_range(asker, found) is None:"
    with rewritten(input_stops, "out_of_reach", (readable, "if False:")):
        yield


@defect
def thawed_member_stops_a_step() -> Iterator[None]:
    """A member that was frozen for long takes a step that others began meanwhile for forgotten."""
    with rewritten(delay_loop, "still_forgotten", ("if found.offset >= 0:", "if False:")):
        yield


@defect
def revoked_step_is_passed_on() -> Iterator[None]:
    """The delay stage passes on what it read of a step that was revoked in the same poll."""
    with rewritten(GroupConsumer, "poll", _records_kept_by("delay")):
        yield


@defect
def regained_step_stays_paused() -> Iterator[None]:
    """A step that was lost while it was paused is not resumed when it comes back."""
    resume = "self.consumer.resume(to_read)"
    others = f'self.run.name == "delay" or {resume}'
    with rewritten(GroupConsumer, "_on_assign", (resume, others)):
        yield


@defect
def regained_lane_stays_paused() -> Iterator[None]:
    """A lane that was lost while it was paused is not resumed when it comes back."""
    resume = "self.consumer.resume(to_read)"
    others = f'self.run.name == "delay" and {resume}'
    with rewritten(GroupConsumer, "_on_assign", (resume, others)):
        yield


@defect
def deleted_below_unrecorded_base() -> Iterator[None]:
    """Records are deleted below a base that no checkpoint has yet."""
    with rewritten(
        LaneOwnership, "_show", ("self.executor.committed_base", "self.lane.settled.base")
    ):
        yield


@defect
def out_of_range_is_only_logged() -> Iterator[None]:
    """A reader whose place in the log is gone says so in the log, and reads nothing more."""
    known = "elif is_out_of_range(error):"
    with rewritten(GroupConsumer, "_handle_event", (known, "elif False:")):
        yield


@defect
def given_back_lane_leaves_doubt() -> Iterator[None]:
    """A lane that is given back does not wait for the answers to its calls."""
    with rewritten(LaneStage, "revoke", ("self._drain(self.ownership)", "pass")):
        yield
