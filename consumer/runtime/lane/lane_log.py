"""Checks a checkpoint against the log's low and high watermark, and finds the start offset."""

from __future__ import annotations

from dataclasses import dataclass

from consumer.errors import StartPositionError
from consumer.kafka.records.checkpoints import end_of
from consumer.kafka.start_offsets import StartFrom
from consumer.records.checkpoint import Checkpoint

ANEW = (
    "To begin anew: stop all processes; delete from {topic} what must not be sent again "
    "(kafka-delete-records.sh); delete the topic {checkpoints} and make it again "
    "(`survey-dispatcher topics --create`); delete the group's offset (`kafka-consumer-groups.sh "
    '--bootstrap-server "$BOOTSTRAP" --group {group} --topic {topic} --delete-offsets`); start '
    "with --from earliest"
)


@dataclass(frozen=True, slots=True)
class LaneLog:
    """State of a lane's topics and group at a takeover.

    The invitations' log holds offsets `low` (inclusive) to `high`; `shown` is the group's offset,
    which the previous owner committed for display (negative: none).
    """

    topic: str
    checkpoints: str
    group: str
    low: int
    high: int
    shown: int = -1

    @property
    def anew(self) -> str:
        """Instructions for an operator to start the lane without its past."""
        return ANEW.format(topic=self.topic, checkpoints=self.checkpoints, group=self.group)


def where(log: LaneLog, found: Checkpoint | None, topic_id: str | None, begin: StartFrom) -> int:
    """Return the offset to read from.

    Raises StartPositionError if log and checkpoint do not match.
    """
    if found is None:
        return _first(log, begin)
    if topic_id and found.topic_id and found.topic_id != topic_id:
        raise StartPositionError(
            f"{log.topic} was deleted and recreated (its id is {topic_id}, the checkpoint is of "
            f"{found.topic_id}): what it held and was not settled is lost. {log.anew}"
        )
    if found.base < log.low:
        raise StartPositionError(
            f"{log.topic} begins at {log.low}, but the checkpoint's base is {found.base}: "
            f"up to {log.low - found.base} invitations were deleted before they were settled. "
            f"Look for who deletes records there. {log.anew}"
        )
    if found.base > log.high:
        raise StartPositionError(
            f"{log.topic} ends at {log.high}, but the checkpoint's base is {found.base}: the log "
            f"was truncated (an unclean leader election?) or recreated. {log.anew}"
        )
    return found.base


def refuse_beyond(log: LaneLog, found: Checkpoint | None) -> None:
    """Raise StartPositionError if the checkpoint names offsets that the log does not have yet."""
    if found is not None and (end := end_of(found)) > log.high:
        raise StartPositionError(
            f"{log.topic} ends at {log.high}, but the checkpoint names offsets up to {end - 1}: "
            "what is written there from now on would pass for settled. The log was truncated (an "
            f"unclean leader election?), or another hand wrote the checkpoint. {log.anew}"
        )


def unreadable(log: LaneLog, why: str) -> StartPositionError:
    """Return the error for a checkpoint that this version cannot read."""
    return StartPositionError(
        f"{log.checkpoints}: the newest checkpoint cannot be read ({why}). If a newer version of "
        "the program wrote it, run that one. Else another hand wrote it: find it by the cluster's "
        f"ACLs. {log.anew}"
    )


def _first(log: LaneLog, begin: StartFrom) -> int:
    """Return the start offset of a lane without a checkpoint.

    This is a first start, or the whole checkpoint topic was lost. The group's offset tells them
    apart, because an owner commits one only after its first checkpoint.
    """
    if log.shown > 0:
        raise StartPositionError(
            f"{log.checkpoints} has no checkpoint, but this lane has worked: the group {log.group} "
            f"stands at {log.shown} of {log.topic}. The topic was deleted, emptied or recreated; "
            f"restore it, for --from would send surveys again or skip some. {log.anew}"
        )
    if log.low > 0 and begin is None:
        raise StartPositionError(
            f"{log.topic} begins at {log.low}, and {log.checkpoints} has no checkpoint: say --from "
            "earliest (or latest) once to begin there"
        )
    return log.high if begin == "latest" and log.low > 0 else log.low
