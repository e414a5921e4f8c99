"""A healthy campaign beside a sick one of the same account and quota, on a real Kafka: the sick one
holds up no other customer, and loses none that the vendor would accept.

The bounds are on the order of the calls, not on time. While customers of healthy campaigns wait,
the calls that fail between two accepted ones are those that were out when the first failure came
back (`AT_ONCE`), and those that a breaker needs to open, or to blame the campaign (`TRIPS`,
`ALONE`). The probes after that are seconds apart, and healthy calls pass between them.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from consumer.lane.account.campaign_breaker import ALONE
from consumer.lane.account.circuit_breaker import TRIPS
from consumer.records.result import Result
from tests.integration.test_operations import operate
from tests.support import local_http
from tests.support.dispatcher import (
    EMAIL,
    SMS,
    VISIT,
    Dispatcher,
    Event,
    LiveWorld,
    purchases,
    until,
)
from tests.support.kafka import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

LIMITS = ["10/1s"]
AT_ONCE, BATCH = 4, 5
SICK, HEALTHY = 60, 100
MOST_FAILED = AT_ONCE + max(TRIPS, ALONE)
"""Failed calls in a row while other customers wait."""
MOST_IN_DOUBT = (AT_ONCE + TRIPS) * BATCH
"""Customers of whole batches that fail before a breaker opens; a later call carries one."""
REFUSALS = 2
"""Refused calls of different customers that open an account's breaker."""
IDS = {"store": SMS, "web": EMAIL, "cafe": VISIT}

Calls = Sequence[Mapping[str, Any]]


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


@dataclass(frozen=True, slots=True)
class Running:
    """A dispatcher with a tight quota, and a vendor with faults by campaign or customer."""

    world: LiveWorld
    config: Path
    dispatcher: Dispatcher

    def calls(self) -> Calls:
        """All calls at the vendor but logins, in the order of their arrival."""
        url = f"{self.world.vendor_url}/_sandbox/log"
        log = local_http.get(url, params={"limit": 10_000}, timeout=20).json()
        return [call for call in reversed(log) if not call["login"]]

    def failures(self, channel: str) -> int:
        """Calls of the channel's campaign that met a fault."""
        calls = self.calls()
        return sum(call["campaign"] == IDS[channel] and bool(call["fault"]) for call in calls)

    def wait_accepted(self, channel: str, count: int) -> None:
        """Until the vendor has told of so many accepted customers."""
        campaign = IDS[channel]

        def accepted() -> bool:
            by_campaign = self.world.vendor()["by_campaign"]
            return bool(by_campaign.get(campaign, {"recipients": 0})["recipients"] >= count)

        until(f"{count} of {channel} are accepted", accepted)

    def rejected(self) -> bool:
        """Whether a result `vendor_rejected` is out."""
        return self.dispatcher.metrics().total("results_total", reason="vendor_rejected") > 0


def start(world: LiveWorld, **faults: object) -> Running:
    """Start the vendor and a dispatcher, under the same limits."""
    world.start_vendor(
        pisano_quota={"limits": LIMITS}, radar_quota={"limits": LIMITS}, faults=faults
    )
    quota = {"limits": LIMITS, "skew": "100ms", "max_in_flight": AT_ONCE, "call_timeout": "10s"}
    config = world.configure(quota, quota, window={"max_batch": BATCH})
    world.create_topics(config)
    return Running(world, config, world.start(config).wait_ready())


def most_failed_in_a_row(calls: Calls) -> int:
    """The longest row of failed calls before an accepted one."""
    answers = "".join("." if call["status"] == 200 else "x" for call in calls)
    return max(map(len, answers.rstrip("x").split(".")))


def ends(results: Sequence[Result], campaign: str) -> Counter[str]:
    """Reasons of a campaign's results."""
    return Counter(result["reason"] for result in results if result["campaign"] == campaign)


def tell(kind: str, calls: Calls, results: Sequence[Result]) -> None:
    """Print the figures; pytest shows them with `-s`."""
    per = Counter(f"{call['campaign']} {call['status']}" for call in calls)
    row = most_failed_in_a_row(calls)
    reasons = Counter(f"{result['campaign']} {result['reason']}" for result in results)
    print(f"\n{kind}: {dict(per)}; row of {row}; {dict(reasons)}")  # noqa: T201 - asked for by `-s`


# -- a whole campaign -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["13000", "gateway_403", "gateway_404", "error_500"])
def test_a_healthy_campaign_goes_on_beside_one_whose_every_call_fails(
    world: LiveWorld, kind: str
) -> None:
    """The sick campaign is alone at first, so that its failures close the whole account (D1).

    Mended, it loses only customers in doubt: those of a 500, which the vendor may have invited.
    """
    running = start(world, campaigns={kind: [SMS]})
    world.publish(purchases("store", range(SICK)))
    opens = REFUSALS if kind.startswith("gateway") else TRIPS
    until("the account's breaker is open", lambda: running.failures("store") >= opens)
    before = len(running.calls())
    world.publish(purchases("web", range(SICK, SICK + HEALTHY)))
    running.wait_accepted("web", HEALTHY)
    calls = running.calls()
    assert most_failed_in_a_row(calls[before:]) <= MOST_FAILED
    failed = sum(call["campaign"] == SMS for call in calls)

    world.set_faults()
    assert "sent: " in operate(running.config, "campaigns", "retry", "purchase-sms")
    world.wait_results(SICK + HEALTHY)
    assert running.dispatcher.terminate() == 0
    in_doubt = MOST_IN_DOUBT + failed if kind == "error_500" else 0
    results = world.check(unknown_at_most=in_doubt)
    tell(kind, calls[before:], results)
    assert ends(results, "purchase-email") == {"accepted": HEALTHY}
    allowed = {"accepted", "no_answer"} if in_doubt else {"accepted"}
    assert ends(results, "purchase-sms").keys() <= allowed
    assert world.vendor()["throttled"] == 0


# -- one customer ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "channel"), [("gateway_403", "store"), ("unauthorized", "cafe")], ids=["403", "401"]
)
def test_one_customer_that_is_refused_ends_alone(world: LiveWorld, kind: str, channel: str) -> None:
    """A firewall's 403 at Pisano beside a healthy campaign; at Customer Radar a 401 whatever the
    token (R0). Further customers come meanwhile: their accepted calls confirm the refusals."""
    events = purchases(channel, range(SICK))
    bad = events[SICK // 2]
    running = start(world, customers={kind: [bad.recipient]})
    world.publish(events)
    until("a call is refused", lambda: running.failures(channel) > 0)
    world.publish(purchases("web", range(SICK, SICK + HEALTHY)))
    running.wait_accepted("web", HEALTHY)
    running.wait_accepted(channel, SICK - 1)
    more = feed_until_rejected(running, channel, SICK + HEALTHY)
    assert running.dispatcher.terminate() == 0
    results = world.check()
    calls = [call for call in running.calls() if channel == "store" or call["vendor"] == "radar"]
    tell(kind, calls, results)
    assert most_failed_in_a_row(calls) <= MOST_FAILED
    rejected = [result for result in results if result["status"] != "accepted"]
    assert [(result["event_id"], result["reason"]) for result in rejected] == [
        (bad.id, "vendor_rejected")
    ]
    assert len(results) == SICK + HEALTHY + more
    assert world.vendor()["throttled"] == 0


def feed_until_rejected(running: Running, channel: str, first: int) -> int:
    """Publish a customer of each campaign at a time until one is rejected; how many came."""
    published = list[Event]()
    for number in itertools.count(first, 2):
        if running.rejected():
            break
        pair = [*purchases(channel, [number]), *purchases("web", [number + 1])]
        running.world.publish(pair)
        published += pair
        rounds = len(published) // 2
        running.wait_accepted(channel, SICK - 1 + rounds)
        running.wait_accepted("web", HEALTHY + rounds)
    running.world.wait_results(len(running.world.events))
    return len(published)
