"""What a vendor's answer means, seen on the running program and a real Kafka: secrets that are
rotated, campaigns that are mended, bad recipients among thousands."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from consumer.records.result import Result
from consumer.sandbox.settings import SAMPLE_CAMPAIGNS
from tests.support import local_http
from tests.support.dispatcher import EMAIL, SMS, Dispatcher, LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker

pytestmark = pytest.mark.kafka
ELSEWHERE = "0d3c8a4e-5f0b-4a8e-9d7b-1c2d3e4f5a6b"
AT_ONCE = 4


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def at_vendor(world: LiveWorld, **account: object) -> None:
    """The vendor knows this of us from now on."""
    local_http.post(f"{world.vendor_url}/_sandbox/account", json=account).raise_for_status()


def calls(world: LiveWorld, status: int, path: str = "") -> int:
    """How many calls the vendor answered so."""
    log = local_http.get(f"{world.vendor_url}/_sandbox/log", params={"limit": 10_000}).json()
    return sum(each["status"] == status and path in each["path"] for each in log)


def put(path: Path, text: str) -> None:
    """Replace a file in one step."""
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(text)
    draft.replace(path)


def change(config: Path, how: Callable[[dict[str, Any]], object]) -> None:
    """Write the config again."""
    document = json.loads(config.read_text())
    how(document)
    put(config, json.dumps(document, indent=2))


# -- secrets that are rotated ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Secret:
    """What opens an account: where the config has it, what the vendor calls it."""

    vendor: str
    key: str
    channel: str
    path: str
    at_vendor: str

    def in_file(self, document: dict[str, Any]) -> None:
        """The config refers to a file."""
        document["vendors"][self.vendor][self.key] = "${file:secret}"


TOKEN = Secret("pisano", "token", "store", "/v1/", "pisano_token")
PASSWORD = Secret("radar", "password", "cafe", "/invitation", "radar_password")


def story(dispatcher: Dispatcher, vendor: str) -> list[str]:
    """What was said of the account, in order."""
    lines = map(json.loads, dispatcher.log.read_text().splitlines())
    return [
        line["event"]
        for line in lines
        if line["event"] in {"credentials_refused", "circuit_opened", "vendor_recovered"}
        and line["vendor"] == vendor
    ]


@pytest.mark.parametrize("secret", [TOKEN, PASSWORD], ids=["pisano", "radar"])
def test_a_rotated_secret_costs_the_calls_in_flight_and_no_invitation(
    world: LiveWorld, secret: Secret
) -> None:
    """The vendor turns first, in the midst of a backlog; the file follows when all calls stopped.

    More customers come meanwhile. Besides the calls in flight, one more may be refused.
    """
    world.start_vendor(latency={"ms": 300})
    lane = {"max_in_flight": AT_ONCE}
    config = world.configure(lane, lane, window={"max_batch": 20})
    put(world.home / "secret", f"sandbox-{secret.key}")
    change(config, secret.in_file)
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()
    refused = {"vendor": secret.vendor, "lane": secret.vendor}

    world.publish(purchases(secret.channel, range(2_000)))
    until("traffic flows", lambda: world.vendor()["accepted_recipients"] > 200)
    at_vendor(world, **{secret.at_vendor: "rotated-secret"})
    until("it shows", lambda: dispatcher.metrics().total("credentials_refused", **refused) == 1)
    world.publish(purchases(secret.channel, range(2_000, 2_500)))
    assert world.vendor()["accepted_recipients"] < 2_000, "the backlog was too small to tell"

    put(world.home / "secret", "rotated-secret")
    world.wait_results(2_500)
    until("it is over", lambda: dispatcher.metrics().total("credentials_refused", **refused) == 0)
    assert dispatcher.terminate() == 0
    assert {each["status"] for each in world.check()} == {"accepted"}
    assert 1 <= calls(world, 401, secret.path) <= AT_ONCE + 1
    assert story(dispatcher, secret.vendor) == ["credentials_refused", "vendor_recovered"]
    assert "rotated-secret" not in dispatcher.log.read_text()


# -- campaigns that are mended --------------------------------------------------------------------


def parked(dispatcher: Dispatcher, campaign: str) -> bool:
    return dispatcher.metrics().total("campaign_parked", campaign=campaign) == 1


def put_off(dispatcher: Dispatcher) -> float:
    return dispatcher.metrics().total("delayed_total")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_campaign_that_is_mended_at_the_vendor_goes_on_by_itself(world: LiveWorld) -> None:
    """It costs the calls in flight and no more, and the lane's other campaign nothing."""
    world.start_vendor(campaigns=[each for each in SAMPLE_CAMPAIGNS if each.id != EMAIL])
    config = world.configure({"max_in_flight": AT_ONCE})
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()
    world.publish(purchases("web", range(300)))
    until("all are delayed", lambda: put_off(dispatcher) == 300)
    until("it shows", lambda: parked(dispatcher, "purchase-email"))
    world.publish(purchases("store", range(300, 600)))
    world.wait_results(300)
    assert {result["campaign"] for result in world.results()} == {"purchase-sms"}
    spent = calls(world, 404)

    at_vendor(world, campaigns=[campaign.model_dump() for campaign in SAMPLE_CAMPAIGNS])
    world.wait_results(600, within=180)
    until("it shows no more", lambda: not parked(dispatcher, "purchase-email"))
    assert dispatcher.terminate() == 0
    assert {each["status"] for each in world.check()} == {"accepted"}
    assert calls(world, 404) == spent
    assert 1 <= spent <= AT_ONCE


def test_a_campaign_that_is_mended_at_the_vendor_goes_on_at_once_by_a_hang_up(
    world: LiveWorld,
) -> None:
    """Case 24: the config stays as it is, and SIGHUP retries what is parked."""
    world.start_vendor(campaigns=[each for each in SAMPLE_CAMPAIGNS if each.id != EMAIL])
    config = world.configure({"max_in_flight": AT_ONCE})
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()
    world.publish(purchases("web", range(300)))
    until("all are delayed", lambda: put_off(dispatcher) == 300)
    at_vendor(world, campaigns=[campaign.model_dump() for campaign in SAMPLE_CAMPAIGNS])
    dispatcher.hang_up()
    world.wait_results(300, within=30)
    assert dispatcher.terminate() == 0
    assert {each["status"] for each in world.check()} == {"accepted"}


def test_a_campaign_that_is_mended_in_the_config_goes_on_at_once(world: LiveWorld) -> None:
    """Delayed invitations come back within seconds, and what comes later does not wait for it."""
    world.start_vendor()
    config = world.configure()
    change(config, lambda each: each["campaigns"]["purchase-sms"].update(id=ELSEWHERE))
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()
    world.publish(purchases("store", range(200)))
    until("all are delayed", lambda: put_off(dispatcher) == 200)
    until("it shows", lambda: parked(dispatcher, "purchase-sms"))

    change(config, lambda each: each["campaigns"]["purchase-sms"].update(id=SMS))
    dispatcher.hang_up()
    until("it is applied", lambda: bool(dispatcher.lines("config_applied")))
    world.publish(purchases("store", range(200, 300)))
    world.wait_results(300, within=30)  # the next try would come a minute after the first
    until("it shows no more", lambda: not parked(dispatcher, "purchase-sms"))
    assert dispatcher.terminate() == 0
    assert {each["status"] for each in world.check()} == {"accepted"}


# -- bad recipients -------------------------------------------------------------------------------


CUSTOMERS, BAD, OTHERS = 5_000, 10, 300
LIMITS = ["20/1s"]


def test_ten_bad_ones_among_five_thousand_are_found_and_hold_up_no_other(world: LiveWorld) -> None:
    """Under a quota, which is only free when all of them wait: so they share a call."""
    events = purchases("store", range(CUSTOMERS))
    bad = random.Random(6).sample(events, BAD)
    wrong = {each.recipient for each in bad}
    world.start_vendor(bad_recipients=wrong, pisano_quota={"limits": LIMITS})
    quota = {"limits": LIMITS, "skew": "100ms", "first_start": "used", "call_timeout": "10s"}
    config = world.configure(quota)
    world.create_topics(config)
    world.publish(events)
    dispatcher = world.start(config).wait_ready()
    until("the whole batch is refused", lambda: calls(world, 400) > 0)
    world.publish(purchases("web", range(CUSTOMERS, CUSTOMERS + OTHERS)))
    world.wait_results(CUSTOMERS + OTHERS)
    until("it is told", lambda: bool(dispatcher.lines("batch_divided")))
    metrics = dispatcher.metrics()
    assert dispatcher.terminate() == 0

    results = world.check()
    rejected = {result["event_id"] for result in results if result["status"] == "rejected"}
    assert rejected == {each.id for each in bad}
    assert Counter(result["reason"] for result in results) == {
        "accepted": CUSTOMERS + OTHERS - BAD,
        "vendor_rejected": BAD,
    }
    assert {each["vendor_code"] for each in results if each["status"] == "rejected"} == {"13028"}
    (told,) = dispatcher.lines("batch_divided")
    assert (told["customers"], told["bad"]) == (CUSTOMERS, BAD)
    assert told["accepted"] == CUSTOMERS - BAD
    assert metrics.total("bisections_total", lane="pisano") == 1
    assert metrics.total("bisect_calls_total", lane="pisano") == told["calls"] <= 200
    assert told["calls"] == calls(world, 400) - 1 + parts_accepted(results)
    assert world.vendor()["repeated"] == world.vendor()["throttled"] == 0
    assert last_answer(results, "purchase-email") < last_answer(results, "purchase-sms")


def parts_accepted(results: list[Result]) -> int:
    """Calls of the divided campaign that were accepted."""
    taken = (result for result in results if result["campaign"] == "purchase-sms")
    return len({each["batch"] for each in taken if each["status"] == "accepted"})


def last_answer(results: list[Result], campaign: str) -> str:
    return max(result["answered_at"] or "" for result in results if result["campaign"] == campaign)
