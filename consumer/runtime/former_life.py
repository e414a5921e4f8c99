"""Delays joining a consumer group until the member of a killed predecessor has left it.

At every rebalance the group waits for such a ghost member until its session ends (8 s). A replica
that joins beside its own ghost delays the other members. Without this delay a lane had no owner
for 39 to 67 s (measured: two replicas, a kill every 5 s, sooner than a ghost's session ends).
With it the ghost's partitions go to another replica when its session ends: 8 to 9 s without a call.

A predecessor is recognised by the client id that brokers show for each member, which contains the
group and the replica's name. A `client.id` in the config hides it; then the replica joins at once.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from consumer.runtime.stage import StageRun

GHOST_AT_MOST = 12.0
"""Longest wait, in seconds, for the session of a predecessor to end."""

LOOK_EVERY = 0.5

SETTLED_WITHIN = 3.0
"""Seconds in which the other members reassign a ghost's partitions: their next heartbeat tells
them of the rebalance. A replica that joins earlier may get these partitions itself."""

log = structlog.get_logger(__name__)


def wait_for_former_life(
    run: StageRun, group: str, stays: Callable[[], bool] | None = None
) -> None:
    """Wait for the predecessor's session to end before a stage first joins its group.

    `stays`: whether to keep waiting; by default until the stage stops. Raises KafkaSessionError.
    """
    if run.joined_before:
        return
    run.joined_before = True
    clients, clock, stop = run.services.clients, run.services.clock, run.services.stop
    goes_on = stays or (lambda: not stop.is_set())
    until, lingered = clock.now() + GHOST_AT_MOST, False
    while clients.lingers(group) and clock.now() < until and goes_on():
        if not lingered:
            log.info("former_session_lingers", stage=run.name, group=group)
        lingered = True
        run.beat()
        stop.wait(LOOK_EVERY)
    if lingered and goes_on() and clients.has_members(group):
        run.beat()
        stop.wait(SETTLED_WITHIN)
