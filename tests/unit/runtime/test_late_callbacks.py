"""A client whose session is over may still call back, from the thread that closes it."""

from __future__ import annotations

from typing import cast

from confluent_kafka import Consumer, Producer, TopicPartition

from consumer.routing.router import Router
from consumer.runtime.router.router_loop import RouterStage
from tests.unit.runtime.test_stage import Time, services


class Untouched:
    """A client, or a stage, that nothing may be asked of."""


def test_a_router_that_is_given_partitions_after_its_session_takes_none() -> None:
    """To ask a closing client where it stands aborts the process."""
    nothing = Untouched()
    loop = RouterStage(cast("Router", nothing), ["pos"], services(Time()), None, "0")
    late = cast("Consumer", nothing)
    loop._on_assign(cast("Producer", nothing), late, [TopicPartition("pos", 0)])
    loop._on_revoke(late, [TopicPartition("pos", 0)])
    assert not loop._began
    assert not loop._revoked_during_poll
