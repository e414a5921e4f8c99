"""Joins a consumer group only once the member of a killed predecessor has left it.

A group waits for such a ghost at every rebalance, until its session ends (8 s). A replica that
joins beside its own ghost holds the others up; one that is killed again and again before its ghosts
have ended kept a lane without an owner for 39 to 67 s (two replicas, a kill every 5 s). As it is,
what the ghost had goes to another replica when its session ends: 8 to 9 s without a call.

A predecessor is told by the client id that brokers show with each member: it carries the group and
the replica's name (a `client.id` of the config hides that, and nothing is waited for).
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from consumer.runtime.stage import StageServices

GHOST_AT_MOST = 12.0
"""Seconds to wait for the session of a predecessor to end."""

LOOK_EVERY = 0.5

SETTLED_WITHIN = 3.0
"""Seconds in which the others of a group have shared out what a ghost had: they hear of it with
their next heartbeat. One that joins meanwhile may be given the share itself."""

log = structlog.get_logger(__name__)


def let_former_life_end(
    stage: StageServices, name: str, group: str, stays: Callable[[], bool] | None = None
) -> None:
    """Before a stage joins its group for the first time; `stays`: whether to go on.

    Raises KafkaSessionError.
    """
    if not stage.joins_first(name):
        return
    goes_on = stays or (lambda: not stage.stop.is_set())
    until = stage.clock.now() + GHOST_AT_MOST
    lingered = False
    while stage.clients.lingers(group) and stage.clock.now() < until and goes_on():
        if not lingered:
            log.info("former_session_lingers", stage=name, group=group)
        lingered = True
        _pause(stage, name, LOOK_EVERY)
    if lingered and goes_on() and stage.clients.has_members(group):
        _pause(stage, name, SETTLED_WITHIN)


def _pause(stage: StageServices, name: str, seconds: float) -> None:
    stage.health.beat(name)
    stage.stop.wait(seconds)
