"""Another config for a running process, on a real Kafka: by signal, and by files that change."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from consumer.config import load
from consumer.kafka import topics
from consumer.kafka.clients import admin_client
from consumer.records.result import Result
from consumer.sandbox.settings import SAMPLE_CAMPAIGNS, PisanoCampaign
from tests.support.dispatcher import (
    Dispatcher,
    Event,
    LiveWorld,
    purchases,
    replace_file,
    until,
)
from tests.support.kafka import KafkaBroker, create_topics

AUTUMN = "0d3c8a4e-5f0b-4a8e-9d7b-1c2d3e4f5a6b"
CAMPAIGNS = [*SAMPLE_CAMPAIGNS, PisanoCampaign(id=AUTUMN, channel="sms")]

Document = dict[str, Any]


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def change(config: Path, how: Callable[[Document], object]) -> None:
    """Replace the config in one step, as every careful tool does."""
    document = json.loads(config.read_text())
    how(document)
    replace_file(config, json.dumps(document, indent=2))


def reloads(dispatcher: Dispatcher, result: str) -> float:
    return dispatcher.metrics().total("config_reloads_total", result=result)


def reload(dispatcher: Dispatcher, result: str = "applied") -> None:
    """SIGHUP, and wait for what comes of it."""
    before = reloads(dispatcher, result)
    dispatcher.hang_up()
    until(f"a reload is {result}", lambda: reloads(dispatcher, result) == before + 1)


def by_campaign(results: list[Result]) -> Counter[str | None]:
    return Counter(result["campaign"] for result in results)


# -- routes and campaigns -------------------------------------------------------------------------


def autumn(document: Document) -> None:
    """Another campaign for the store, and fuller calls of the one that waits."""
    sms = document["campaigns"]["purchase-sms"]
    document["campaigns"]["autumn-sms"] = {**sms, "id": AUTUMN}
    sms["window"] = {"max_batch": 150}
    document["routes"][0]["send"] = ["autumn-sms"]


def test_under_load_nothing_is_lost_or_repeated_and_later_events_go_by_the_new(
    world: LiveWorld,
) -> None:
    """A route and a campaign change while windows are full and calls are in flight."""
    world.start_vendor(campaigns=CAMPAIGNS, latency={"ms": 300})
    quota = {"limits": ["10/1s"], "skew": "100ms"}
    config = world.configure(quota, window={"max_batch": 50})
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()
    version = dispatcher.metrics().label_values("config_info", "version")

    world.publish(purchases("store", range(2000)))
    until("calls are answered", lambda: world.vendor()["accepted_recipients"] > 0)
    change(config, autumn)
    dispatcher.hang_up()
    world.publish(purchases("store", range(2000, 3000)))  # by the old config or by the new
    until("it is applied", lambda: reloads(dispatcher, "applied") == 1)
    world.publish(purchases("store", range(3000, 3300)))
    world.wait_results(3300)
    assert dispatcher.metrics().label_values("config_info", "version").isdisjoint(version)
    assert dispatcher.terminate() == 0

    chosen = {result["event_id"]: result["campaign"] for result in world.results()}
    world.events = [
        replace(event, campaign=AUTUMN) if chosen.get(event.id) == "autumn-sms" else event
        for event in world.events
    ]
    results = world.check()
    assert {result["status"] for result in results} == {"accepted"}
    late = [result for result in results if int(result["event_id"].partition("-")[2]) >= 3000]
    assert by_campaign(late) == {"autumn-sms": 300}
    assert by_campaign(results)["purchase-sms"] >= 2000
    calls = Counter(result["batch"] for result in results if result["campaign"] == "purchase-sms")
    assert 50 in calls.values()
    assert max(calls.values()) == 150  # those that waited follow the new window


# -- what is refused ------------------------------------------------------------------------------


def test_a_bad_config_is_refused_with_its_lines_and_the_old_one_stays(world: LiveWorld) -> None:
    """Found without a signal; one that needs a restart likewise; then the old file is back."""
    world.start_vendor()
    config = world.configure()
    world.create_topics(config)
    good = config.read_text()
    dispatcher = world.start(config).wait_ready()
    assert dispatcher.metrics().total("config_last_reload_successful") == 1

    replace_file(config, good.replace('"channel": "sms"', '"channel": "pigeon"'))
    until("it is refused", lambda: reloads(dispatcher, "refused") == 1)
    line = config.read_text()[: config.read_text().index("pigeon")].count("\n") + 1
    (problem,) = dispatcher.lines("config_refused")[0]["problems"]
    assert f"{config}:{line}: campaigns.purchase-sms.channel" in problem
    assert dispatcher.metrics().total("config_last_reload_successful") == 0

    replace_file(
        config, good.replace("not-a-secret-of-integration-tests", "another-key-for-those-tests")
    )
    reload(dispatcher, "refused")
    assert "needs a restart" in dispatcher.lines("config_refused")[-1]["problems"][0]
    assert ": pseudonym: " in dispatcher.lines("config_refused")[-1]["problems"][0]

    world.publish(purchases("web", range(50)))
    world.wait_results(50)
    replace_file(config, good)
    reload(dispatcher, "unchanged")
    assert dispatcher.metrics().total("config_last_reload_successful") == 1
    assert dispatcher.terminate() == 0
    world.check()


# -- secrets --------------------------------------------------------------------------------------


def mount(home: Path, version: str, **secrets: str) -> None:
    """As Kubernetes mounts a Secret: the files never change, a link above them does."""
    folder = home / f"..{version}"
    folder.mkdir(parents=True)
    for name, value in secrets.items():
        (folder / name).write_text(value)
        if not (home / name).is_symlink():
            (home / name).symlink_to(Path("..data") / name)
    draft = home / "..data_tmp"
    draft.symlink_to(folder.name)
    draft.replace(home / "..data")


def secret(document: Document) -> None:
    document["vendors"]["pisano"]["token"] = "${file:secrets/token}"
    document["vendors"]["radar"]["password"] = "${file:secrets/password}"


def test_secrets_that_change_in_their_files_are_used(world: LiveWorld) -> None:
    """A token and a password, refused until they are rotated; no signal, no change of the config.

    No result is lost with the refused calls, and neither secret is logged.
    """
    world.start_vendor(pisano_token="fresh-token", radar_password="fresh-password")
    config = world.configure(max_attempts=100)
    mount(world.home / "secrets", "1", token="stale-token", password="stale-password")
    change(config, secret)
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()
    world.publish(purchases("store", range(100)))
    world.publish(purchases("cafe", range(100, 150)))
    until("both are refused", lambda: refused_by_both(dispatcher))

    mount(world.home / "secrets", "2", token="fresh-token", password="fresh-password")
    world.wait_results(150)
    assert dispatcher.lines("config_applied")[0]["accounts"] == ["pisano", "radar"]

    change(config, lambda each: each["quotas"]["radar"].update(call_timeout="6s"))
    reload(dispatcher)  # another account: its token is not the former's
    world.publish(purchases("cafe", range(150, 170)))
    world.wait_results(170)
    metrics = dispatcher.metrics()
    assert metrics.total("logins_total", vendor="radar", outcome="accepted") == 2
    assert metrics.total("calls_total", vendor="radar", answer="401") == 0
    assert dispatcher.terminate() == 0
    results = world.check()
    assert {result["status"] for result in results} == {"accepted"}
    assert "-token" not in dispatcher.log.read_text()
    assert "-password" not in dispatcher.log.read_text()


def refused_by_both(dispatcher: Dispatcher) -> bool:
    metrics = dispatcher.metrics()
    return metrics.total("calls_total", answer="401") > 0 and bool(dispatcher.lines("login_failed"))


# -- lanes and inputs that come and go ------------------------------------------------------------


def with_second_account(document: Document) -> None:
    """The store's surveys go through another tenant with a quota of its own."""
    document["quotas"]["second"] = document["quotas"]["pisano"]
    document["vendors"]["second"] = {**document["vendors"]["pisano"], "quota": "second"}
    document["campaigns"]["purchase-sms"]["vendor"] = "second"


def write(world: LiveWorld, topic: str, events: list[Event]) -> None:
    """To another input than the world's own."""
    world.events.extend(events)
    producer = Producer({"bootstrap.servers": world.bootstrap})
    for event in events:
        producer.produce(topic, event.value)
    assert producer.flush(20) == 0


def test_a_new_lane_and_a_new_input_begin_once_their_topics_are_there(world: LiveWorld) -> None:
    """Missing topics: refused, with the command that makes them."""
    world.start_vendor()
    config = world.configure()
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()

    change(config, with_second_account)
    reload(dispatcher, "refused")
    (problem,) = dispatcher.lines("config_refused")[0]["problems"]
    assert f"topic {world.name}.invitations.second is missing" in problem
    assert "topics --create" in problem
    assert dispatcher.probe("/readyz")[0] == 200

    loaded = load(config, env={"ADMIN_PORT": "0"})
    topics.create(admin_client(loaded.kafka), topics.own_topics(loaded))
    create_topics(world.bootstrap, f"{world.input}.web")
    change(config, lambda each: each["inputs"]["pos"]["topics"].append(f"{world.input}.web"))
    reload(dispatcher)
    world.publish(purchases("store", range(200)))
    until("all are ready", lambda: dispatcher.probe("/readyz")[0] == 200)
    write(world, f"{world.input}.web", purchases("web", range(200, 250)))
    world.wait_results(250)
    assert dispatcher.terminate() == 0
    results = world.check()
    assert {(result["campaign"], result["vendor"]) for result in results} == {
        ("purchase-sms", "second"),
        ("purchase-email", "pisano"),
    }
    assert world.checkpoint("second").base > 0


def test_a_new_input_without_a_start_position_is_refused(world: LiveWorld) -> None:
    """As at a start; the router that would end for it goes on."""
    world.start_vendor()
    config = world.configure()
    world.create_topics(config)
    first = world.start(config).wait_ready()
    until("all partitions are begun", lambda: world.committed() == [0, 0, 0])
    assert first.terminate() == 0
    second = world.start(config, begin=None).wait_ready()

    create_topics(world.bootstrap, f"{world.input}.web")
    change(config, lambda each: each["inputs"]["pos"]["topics"].append(f"{world.input}.web"))
    reload(second, "refused")
    (problem,) = second.lines("config_refused")[0]["problems"]
    assert problem.startswith(f"{world.input}.web was never read")
    assert "--from earliest" in problem
    world.publish(purchases("store", range(20)))
    world.wait_results(20)
    assert second.terminate() == 0
    world.check()


def without_radar(document: Document) -> None:
    del document["quotas"]["radar"], document["vendors"]["radar"], document["campaigns"]["visit"]
    del document["routes"][2]


def test_a_lane_that_left_drains_and_goes_on_when_it_comes_back(world: LiveWorld) -> None:
    """Its calls in flight are answered and recorded; what waits stays on its topic."""
    world.start_vendor(latency={"ms": 700})
    slow = {"limits": ["2/1s"], "skew": "100ms"}
    config = world.configure(radar_quota=slow, window={"max_batch": 20})
    world.create_topics(config)
    whole = config.read_text()
    dispatcher = world.start(config).wait_ready()
    world.publish(purchases("cafe", range(60)))
    until("a call is in flight", lambda: in_flight(dispatcher) > 0)

    change(config, without_radar)
    reload(dispatcher)
    until("the lane has left", lambda: bool(dispatcher.lines("lane_ended")))
    assert [line["clean"] for line in dispatcher.lines("lane_drained")] == [True]
    assert dispatcher.probe("/readyz")[0] == 200
    left = world.checkpoint("radar")
    assert not left.in_flight
    done = len(world.results())
    assert 0 < done < 60
    assert dispatcher.metrics().total("calls_in_flight", lane="radar") == 0

    replace_file(config, whole)
    reload(dispatcher)
    world.publish(purchases("store", range(200, 300)))
    world.wait_results(160)
    assert dispatcher.terminate() == 0
    assert world.check()
    assert world.vendor()["throttled"] == 0


def in_flight(dispatcher: Dispatcher) -> float:
    return dispatcher.metrics().total("calls_in_flight", lane="radar")
