"""`lanes reopen` and `campaigns retry`: end a silence whose cause an operator knows to be over."""

from __future__ import annotations

from consumer.errors import OperationError
from consumer.kafka.lane_logs import LaneView, lane_names, read_lane
from consumer.kafka.queries import members
from consumer.kafka.records.operator_commands import ReopenLane, RetryCampaign
from consumer.operations.access import Access


def list_lanes(access: Access) -> list[tuple[LaneView, bool, int]]:
    """Return each lane, whether the config has it, and how many members its group has. Read without
    a claim: an owner's uncommitted changes are not in it. Raises KafkaSessionError."""
    configured, topics = access.config.lanes, access.topics
    found = []
    with access.reader() as reader:
        for name in lane_names(access.admin, topics):
            group = access.topics.lane_group(name)
            view = read_lane(access.admin, reader, topics, name)
            found.append((view, name in configured, members(access.admin, group)))
    return found


def silent_until(access: Access, lane: str) -> float:
    """Return until when a lane is silent after a 429 (epoch seconds), by its checkpoint. Raises
    OperationError if it is not silent."""
    if lane not in access.config.lanes:
        there = ", ".join(access.config.lanes)
        raise OperationError(f"{lane} is no lane of this config; lanes: {there}")
    until = _closed_until(_view(access, lane))
    if until <= access.now():
        raise OperationError(f"lane {lane} is not silent: no 429 holds it back")
    return until


def reopen_lane(access: Access, lane: str, until: float) -> bool:
    """End the silence that lasts until then. Raises OperationError."""
    _refuse_without_owner(access, lane)
    command = ReopenLane(**access.command_fields(), lane=lane, closed_until=until)
    return access.send_command(command, lambda: _closed_until(_view(access, lane)) < until - 5.0)


def retry_campaign(access: Access, campaign: str) -> bool:
    """Retry a campaign at once, with its invitations on the delay topics. Raises OperationError."""
    if campaign not in access.config.called:
        there = ", ".join(access.config.called)
        raise OperationError(f"{campaign} makes no calls in this config; those that do: {there}")
    _refuse_without_owner(access, access.config.lane_of(campaign))
    command = RetryCampaign(**access.command_fields(), campaign=campaign)
    return access.send_command(command, lambda: True)


def _refuse_without_owner(access: Access, lane: str) -> None:
    group = access.topics.lane_group(lane)
    if members(access.admin, group) == 0:
        raise OperationError(
            f"no process runs lane {lane} (group {group}): start one, and run the command then"
        )


def _view(access: Access, lane: str) -> LaneView:
    with access.reader() as reader:
        return read_lane(access.admin, reader, access.topics, lane)


def _closed_until(view: LaneView) -> float:
    return view.checkpoint.closed_until if view.checkpoint is not None else 0.0
