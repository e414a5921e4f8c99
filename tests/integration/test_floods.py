"""More than memory holds, on a real Kafka: the log is the queue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.records.result import Result
from consumer.sandbox.settings import SAMPLE_CAMPAIGNS
from tests.support.dispatcher import SMS, Dispatcher, LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker

pytestmark = pytest.mark.kafka
FLOOD, OTHERS = 20_000, 200


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def answered(results: list[Result], campaign: str) -> list[str]:
    return sorted(r["answered_at"] or "" for r in results if r["campaign"] == campaign)


def test_a_flood_beyond_memory_is_sent_once_and_hides_no_campaign(world: LiveWorld) -> None:
    """Forty times what may be held of one campaign, and behind it another's few customers."""
    world.start_vendor(latency={"kind": "fixed", "ms": 50})
    quota = {"max_buffered": 500, "max_in_flight": 2}
    config = world.configure(quota, window={"max_batch": 100})
    world.create_topics(config)
    world.publish(purchases("store", range(FLOOD)))
    dispatcher = world.start(config).wait_ready()
    until("memory is full", lambda: dispatcher.metrics().total("spilled_invitations") > 5_000)
    world.publish(purchases("web", range(OTHERS)))
    world.wait_results(FLOOD + OTHERS)
    results = world.check()
    flood, others = (answered(results, name) for name in ("purchase-sms", "purchase-email"))
    assert others[-1] < flood[len(flood) * 3 // 4], "the few waited behind the flood"
    until("nothing is spilled", lambda: dispatcher.metrics().total("spilled_invitations") == 0)
    until("nothing is held", lambda: dispatcher.metrics().total("buffered_invitations") == 0)
    assert dispatcher.terminate() == 0


def test_a_parked_campaign_is_delayed_and_others_go_on(world: LiveWorld) -> None:
    """The vendor knows one of two campaigns: the other's customers wait on the delay topics."""
    world.start_vendor(campaigns=[campaign for campaign in _campaigns() if campaign["id"] != SMS])
    config = world.configure(window={"max_batch": 100})
    world.create_topics(config)
    world.publish(purchases("store", range(3_000)))
    dispatcher = world.start(config).wait_ready()
    until("they are delayed", lambda: dispatcher.metrics().total("delayed_total") >= 3_000)
    parked = {"campaign": "purchase-sms"}
    until("it shows", lambda: dispatcher.metrics().total("campaign_parked", **parked) == 1)
    world.events.clear()  # those have no result yet
    world.publish(purchases("web", range(OTHERS)))
    world.wait_results(OTHERS)
    until("nothing is held", lambda: dispatcher.metrics().total("buffered_invitations") == 0)
    assert dispatcher.terminate() == 0
    world.check()


def _campaigns() -> list[dict[str, object]]:
    return [campaign.model_dump(mode="json") for campaign in SAMPLE_CAMPAIGNS]


def test_a_lane_without_permits_polls_on(world: LiveWorld) -> None:
    """The group drops a member that does not poll; half of that time is the bound (150 s)."""
    world.start_vendor()
    config = world.configure({"limits": ["1/10m"]}, window={"max_batch": 100})
    world.create_topics(config)
    world.publish(purchases("store", range(1_000)))
    dispatcher = world.start(config).wait_ready()
    until("the permit is used", lambda: world.vendor()["calls"] == 1)
    polled = dispatcher.metrics().total("poll_gap_seconds_count", stage="pisano")
    more = polled + 100
    until("it polls on", lambda: _polls(dispatcher) >= more)
    metrics = dispatcher.metrics()
    short = metrics.total("poll_gap_seconds_bucket", stage="pisano", le="150.0")
    assert short == metrics.total("poll_gap_seconds_count", stage="pisano")
    assert metrics.total("next_permit_seconds", lane="pisano") > 60
    assert world.vendor()["calls"] == 1
    world.events.clear()  # the others wait for their permit
    assert dispatcher.terminate() == 0


def _polls(dispatcher: Dispatcher) -> float:
    return dispatcher.metrics().total("poll_gap_seconds_count", stage="pisano")
