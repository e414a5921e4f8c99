"""`run` as two processes under one parent, on a real Kafka: seen from outside it is one program."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from consumer.sandbox.settings import SAMPLE_CAMPAIGNS
from tests.support.dispatcher import Dispatcher, LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker

TWO = ("--processes", "two")
ONE = ("--processes", "one")


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        world.start_vendor()
        yield world


def start(world: LiveWorld, instance: str = "0") -> Dispatcher:
    config = world.configure()
    world.create_topics(config)
    return world.start(config, instance, SURVEY_DISPATCHER_PROCESSES="two")


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not collected does not."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def all_gone(pids: list[int]) -> bool:
    return not any(map(is_there, pids))


# -- ends -----------------------------------------------------------------------------------------


def test_stop_is_orderly_and_leaves_no_process(world: LiveWorld) -> None:
    running = start(world).wait_ready()
    parent, *children = running.pids
    assert children == [running.child("router"), running.child("sender")]
    world.publish(purchases("store", range(200)))
    world.wait_results(200)
    assert running.terminate() == 0
    assert all_gone([parent, *children])
    assert len(running.lines("stopping")) == 1
    world.check()


def test_signal_of_a_terminal_reaches_all_and_is_an_orderly_stop(world: LiveWorld) -> None:
    running = start(world).wait_ready()
    for pid in running.pids:
        os.kill(pid, signal.SIGINT)
    assert running.wait() == 0
    assert "Traceback" not in running.log.read_text()


def test_killed_parent_takes_its_children_along(world: LiveWorld) -> None:
    running = start(world).wait_ready()
    pids = running.pids
    os.kill(running.child("router"), signal.SIGSTOP)  # no thread of it could do anything
    running.kill()
    until("the children are gone", lambda: all_gone(pids), within=5)
    again = world.start(world.home / "routing.yaml").wait_ready()
    world.publish(purchases("store", range(50)))
    world.wait_results(50)
    assert again.terminate() == 0
    world.check()


@pytest.mark.parametrize(("killed", "other"), [("router", "pisano"), ("sender", "router")])
def test_killed_child_ends_the_program_in_order(world: LiveWorld, killed: str, other: str) -> None:
    """As out of memory would. The other one finishes its work, and the exit code is a defect's."""
    running = start(world).wait_ready()
    until("the lane is owned", lambda: bool(running.lines("lane_taken_over")))
    os.kill(running.child(killed), signal.SIGKILL)
    assert running.wait() == 1
    (line,) = running.lines("process_killed")
    assert (line["process"], line["signal"]) == (killed, "SIGKILL")
    assert all_gone([running.child("router"), running.child("sender")])
    assert not [line for line in running.lines("session_ended") if line["stage"] == other]


def test_stop_of_one_child_stops_the_program(world: LiveWorld) -> None:
    """A service manager sends SIGTERM to every process of a service, in any order."""
    running = start(world).wait_ready()
    os.kill(running.child("sender"), signal.SIGTERM)
    assert running.wait() == 0


def test_messages_and_exit_codes_are_those_of_one_process(world: LiveWorld) -> None:
    """Both children miss the topics; the router alone does not know where to begin."""
    config = world.configure()
    for form in (ONE, TWO):
        ended = world.start(config, f"t{form[1]}", SURVEY_DISPATCHER_PROCESSES=form[1])
        assert ended.wait() == 3
        assert ended.log.read_text().count("is missing") == 12
    world.create_topics(config)
    for form in (ONE, TWO):
        ended = world.start(config, f"b{form[1]}", begin=None, SURVEY_DISPATCHER_PROCESSES=form[1])
        assert ended.wait() == 4
        told = [line for line in ended.log.read_text().splitlines() if not line.startswith("{")]
        assert len(told) == 1
        assert "--from earliest" in told[0]


# -- admin port -----------------------------------------------------------------------------------


def series(text: str) -> list[str]:
    """Names and labels of all samples, as often as they are there."""
    return sorted(
        f"{family.type} {sample.name} {sorted(sample.labels.items())}"
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    )


def names(shown: list[str]) -> set[str]:
    """Types and names of the samples, but of those that are there only while some wait."""
    found = {line.partition(" [")[0] for line in shown if "'campaign'" not in line}
    return {name for name in found if "kafka_errors" not in name}


def test_metrics_and_status_are_those_of_one_process(world: LiveWorld) -> None:
    """Each series once, and the same names; the numbers of all stages."""
    two = start(world).wait_ready()
    world.publish(purchases("store", range(100)))
    world.wait_results(100)
    until("it is counted", lambda: two.metrics().total("results_total") == 100)
    shown = series(two.metrics().text)
    assert len(shown) == len(set(shown))
    assert two.metrics().total("events_total", disposition="routed") == 100
    assert two.metrics().total("process_cpu_seconds_total") > 0
    status = json.loads(two.probe("/status.json")[1])
    assert {stage["name"] for stage in status["stages"]} == {"router", "delay", "pisano", "radar"}
    assert [lane["owner"] for lane in status["lanes"]] == ["here", "here"]
    assert status["results"]["accepted"]
    assert two.terminate() == 0

    one = world.start(world.home / "routing.yaml", SURVEY_DISPATCHER_PROCESSES="one").wait_ready()
    world.publish(purchases("store", range(100, 200)))
    world.wait_results(200)
    until("it has the same names", lambda: names(series(one.metrics().text)) == names(shown))
    assert one.terminate() == 0
    world.check()


def test_stuck_child_fails_the_probes(world: LiveWorld) -> None:
    running = start(world).wait_ready()
    stuck = running.child("sender")
    os.kill(stuck, signal.SIGSTOP)
    try:
        status, body = running.probe("/livez")
        assert (status, "process sender: no answer" in body) == (503, True)
    finally:
        os.kill(stuck, signal.SIGCONT)
    until("it is well again", lambda: running.probe("/livez")[0] == 200)
    assert running.terminate() == 0


# -- reload ---------------------------------------------------------------------------------------


def versions(running: Dispatcher) -> set[str]:
    return running.metrics().label_values("config_info", "version")


def test_reload_reaches_both_or_none(world: LiveWorld) -> None:
    running = start(world).wait_ready()
    config = world.home / "routing.yaml"
    before, good = versions(running), config.read_text()
    config.write_text(good.replace('"channel": "sms"', '"channel": "pigeon"'))
    running.hang_up()
    until("it is refused", lambda: bool(running.lines("config_refused")))
    assert running.metrics().total("config_last_reload_successful") == 0
    assert versions(running) == before

    document = json.loads(good)
    document["campaigns"]["autumn"] = {
        **document["campaigns"]["purchase-sms"],
        "id": SAMPLE_CAMPAIGNS[0].id,
    }
    document["routes"][0]["send"] = ["autumn"]
    config.write_text(json.dumps(document, indent=2))
    running.hang_up()
    until(
        "it is applied",
        lambda: running.metrics().total("config_reloads_total", result="applied") == 1,
    )
    assert versions(running) != before
    assert len(running.lines("config_applied")) == 1
    world.publish(purchases("store", range(20)))
    world.wait_results(20)
    assert {result["campaign"] for result in world.results()} == {"autumn"}
    assert running.terminate() == 0


def test_one_process_has_no_children(world: LiveWorld) -> None:
    config = world.configure()
    world.create_topics(config)
    running = world.start(config, SURVEY_DISPATCHER_PROCESSES="one").wait_ready()
    assert running.pids == [running.pid]
    assert running.terminate() == 0
