"""`results` on a real Kafka: what it finds, what it leaves alone, and what it must not show."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from jsonschema import Draft202012Validator

from consumer.cli.options import access_to
from consumer.operations.results.choice import Choice
from consumer.operations.results.scan import ResultScan
from tests.integration.test_operations import change, operate
from tests.support import local_http
from tests.support.dispatcher import ANSWER, SMS, LiveWorld, purchase, until
from tests.support.kafka import KafkaBroker, free_ports
from tests.support.registry import schema_server

DAY = 86_400_000
NOW = 1_795_357_600_000
PHONE, MAIL = "+905320000001", "anna@example.com"


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as live:
        yield live


def result(number: int, **changes: Any) -> dict[str, Any]:
    """A result as the publisher writes it."""
    return {
        "version": 1,
        "id": f"i{number}",
        "event_id": f"e{number}",
        "status": "accepted",
        "reason": "accepted",
        "route": "store" if number % 2 else "web",
        "campaign": "purchase-sms",
        "vendor": "pisano",
        "channel": "sms",
        "batch": f"b{number // 4}",
        "attempt": 1,
        "http_status": 200,
        "vendor_code": "OK",
        "vendor_message": None,
        "recipient": f"k1:p{number}",
        "event_time": "2026-11-22T14:00:00.000Z",
        "routed_at": "2026-11-22T14:00:01.000Z",
        "sent_at": None,
        "answered_at": None,
        "config_version": "c1",
        "source": {"topic": "pos", "partition": 0, "offset": number},
        **changes,
    }


def keep_for_ever(world: LiveWorld) -> None:
    """Have the broker keep records of long ago, which a check of retention would delete."""
    client = AdminClient({"bootstrap.servers": world.bootstrap})
    kept = ConfigEntry("retention.ms", "-1", incremental_operation=AlterConfigOpType.SET)
    results = ConfigResource(
        ResourceType.TOPIC, f"{world.name}.results", incremental_configs=[kept]
    )
    for future in client.incremental_alter_configs([results]).values():
        future.result(ANSWER)


def write(world: LiveWorld, *records: tuple[bytes, int], commit: bool = True) -> Producer:
    """Write values with their times (epoch ms) to partition 0 of the results."""
    keep_for_ever(world)
    settings = {"bootstrap.servers": world.bootstrap, "transactional.id": f"{world.name}.made"}
    producer = Producer(settings)
    producer.init_transactions(ANSWER)
    producer.begin_transaction()
    for value, at in records:
        producer.produce(f"{world.name}.results", value, partition=0, timestamp=at)
    assert producer.flush(ANSWER) == 0
    if commit:
        producer.commit_transaction(ANSWER)
    return producer


def days(world: LiveWorld, number: int = 10) -> None:
    """Write a result a day, the newest (number 0) now, the oldest first."""
    numbers = range(number - 1, -1, -1)
    write(world, *((orjson.dumps(result(day)), NOW - day * DAY) for day in numbers))


def found(config: Path, *words: str) -> list[str]:
    """Return the ids of the results that `find` found, in its order."""
    lines = operate(config, "results", "find", "--format", "jsonl", *words).splitlines()
    return [json.loads(line)["id"] for line in lines if line.startswith("{")]


def test_results_are_found_by_fields_and_time(world: LiveWorld) -> None:
    config = world.configure()
    world.create_topics(config)
    days(world)
    noon = "2026-11-20T14:26:40+00:00"  # the time of number 2
    assert found(config) == [f"i{number}" for number in range(9, -1, -1)]
    assert found(config, "--route", "store", "--route", "none", "--batch", "b1") == ["i7", "i5"]
    assert found(config, "--event", "e3", "--status", "accepted") == ["i3"]
    assert found(config, "--status", "failed") == []
    assert found(config, "--since", noon) == ["i2", "i1", "i0"]
    assert found(config, "--until", noon, "--limit", "2") == ["i4", "i3"]
    assert found(config, "--pseudonym", "none:p3", "--since", "1s") == []
    said = operate(config, "results", "find", "--since", noon)
    assert "3 results read" in said  # the search began at the time, not at the log's beginning
    assert "2026-11-22T14:26:40.000Z" in said
    said = operate(config, "results", "find", "--until", noon)
    assert "8 results read" in said  # and ended soon behind it


def test_a_result_behind_a_later_one_is_found_by_its_time(world: LiveWorld) -> None:
    config = world.configure()
    world.create_topics(config)
    write(world, *((orjson.dumps(result(late)), NOW - late * 60_000) for late in (0, 2, 1, 59)))
    assert found(config, "--until", "2026-11-22T14:26:40+00:00") == ["i2", "i1", "i59"]
    assert found(config, "--since", "2026-11-22T14:24:40+00:00") == ["i0", "i2", "i1"]


def test_results_are_counted(world: LiveWorld) -> None:
    config = world.configure()
    world.create_topics(config)
    days(world)
    late = orjson.dumps(result(99, status="suppressed", reason="opted_out", recipient=None))
    write(world, (late, NOW))
    said = operate(config, "results", "summary", "--by", "day,route", "--format", "jsonl")
    rows = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert len(rows) == 11
    assert rows[-1] | {"day": "2026-11-22", "route": "web", "results": 1, "accepted": 1} == rows[-1]
    assert rows[-2] | {"route": "store", "suppressed": 1, "accepted_rate": 0.0} == rows[-2]
    table = operate(config, "results", "summary")
    assert "83.3%" in table or "100.0%" in table
    assert operate(config, "results", "summary", "--by", "store").startswith("refused: --by")
    change(config, results={"fields": {"store": "store.id"}})
    assert "11" in operate(config, "results", "summary", "--by", "store").split()


def test_what_is_no_result_is_counted_and_named(world: LiveWorld, tmp_path: Path) -> None:
    config = world.configure()
    world.create_topics(config)
    write(world, (b"no result", NOW), (orjson.dumps(result(1)), NOW), (b"{}", NOW))
    path = tmp_path / "r.csv"
    said = operate(config, "results", "export", "--format", "csv", str(path))
    assert "1 results written" in said
    assert "2 records could not be read as results and are left out: 0/0, 0/2" in said
    with path.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["id"], row["source_offset"]) == ("i1", "1")
    assert operate(config, "results", "export", str(path)).startswith("refused: ")


def test_deleted_results_are_said_to_be_missing(world: LiveWorld) -> None:
    config = world.configure()
    world.create_topics(config)
    days(world)
    admin = AdminClient({"bootstrap.servers": world.bootstrap})
    place = TopicPartition(f"{world.name}.results", 0, 5)
    admin.delete_records([place])[place].result(ANSWER)
    said = operate(config, "results", "summary")
    assert "5 results read" in said
    assert "older results may be missing" in said
    said = operate(config, "results", "summary", "--since", "2026-11-20T14:26:40+00:00")
    assert "missing" not in said


def test_an_open_transaction_holds_back_nothing_but_itself(world: LiveWorld) -> None:
    config = world.configure()
    world.create_topics(config)
    days(world, 2)
    producer = write(world, (orjson.dumps(result(5)), NOW), commit=False)
    assert found(config) == ["i1", "i0"]
    producer.abort_transaction(ANSWER)
    assert found(config) == ["i1", "i0"]


@contextmanager
def interruptible(words: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """Run Python, which gets SIGINT even where the shell of the tests, as one in the background,
    has it ignored; it ends with the block at the latest."""
    pipe = subprocess.PIPE
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen([sys.executable, *words], stdout=pipe, stderr=pipe, text=True)
    finally:
        signal.signal(signal.SIGINT, ignored)
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_tail_follows_until_it_is_interrupted(
    world: LiveWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From now on, or from a time on; it joins no group."""
    config = world.configure()
    world.create_topics(config)
    days(world, 4)
    monkeypatch.setenv("ADMIN_PORT", "0")
    scan = ResultScan(access_to(config), Choice({}, since=NOW / 1000 - 86_400))
    assert [one.result["id"] for one in islice(scan.follow(), 2)] == ["i1", "i0"]
    words = ("-m", "consumer", "results", "tail", "--config", str(config), "--format", "jsonl")
    with interruptible([*words, "--since", "2026-11-22T14:26:40+00:00"]) as tail:
        assert tail.stdout is not None
        assert json.loads(tail.stdout.readline())["id"] == "i0"
        write(world, (orjson.dumps(result(7)), NOW))
        assert json.loads(tail.stdout.readline())["id"] == "i7"
        tail.send_signal(signal.SIGINT)
        _, said = tail.communicate(timeout=ANSWER)
        assert (tail.returncode, said) == (0, "2 results read\n")
    admin = AdminClient({"bootstrap.servers": world.bootstrap})
    groups = [group.group_id for group in admin.list_consumer_groups().result(ANSWER).valid]
    assert not [name for name in groups if name.startswith(world.name)]


def test_no_address_is_in_any_output(world: LiveWorld, tmp_path: Path) -> None:
    """Canary: the customers' own numbers and addresses, through the whole program. A person is
    found by the number that is typed, and shown by pseudonym."""
    world.start_vendor()
    config = world.configure()
    world.create_topics(config)
    dispatcher = world.start(config).wait_ready()
    world.publish([purchase("store", "sms", customer) for customer in (1, 2)])
    world.wait_results(2)
    assert dispatcher.terminate() == 0
    write(world, (orjson.dumps(result(9, link=f"https://s.example/?to={MAIL}")), NOW))
    numbers = [f"+90532{customer:07d}" for customer in (1, 2)]
    outputs = [
        operate(config, "results", command, "--format", form)
        for command in ("find", "summary")
        for form in ("table", "jsonl", "csv")
    ]
    for form in ("jsonl", "csv", "parquet"):
        path = tmp_path / f"r.{form}"
        outputs.append(operate(config, "results", "export", "--format", form, str(path)))
        outputs.append(path.read_bytes().decode(errors="replace"))
    words = ("results", "find", "--person", "--format", "jsonl")
    mine = operate(config, *words, typed=f"{numbers[0]}\n")
    assert mine.count('"recipient"') == 1
    assert operate(config, *words, typed=f"{MAIL}\n").count('"recipient"') == 0
    assert operate(config, *words, typed="nobody\n").startswith("refused: line 1")
    for said in (*outputs, mine):
        assert not [one for one in (*numbers, MAIL) if one in said or one[3:] in said]
    assert Counter(row["status"] for row in world.results()) == {"accepted": 3}


def test_results_name_their_schema_of_the_registry(world: LiveWorld) -> None:
    """The command registers it, each result begins with its id, and our own readers go on: the
    view of contacts counts by results, also by those before the change."""
    config = world.configure()
    store = {"type": "sqlite", "path": str(world.home / "contacts.sqlite")}
    rules: dict[str, Any] = {
        "contacts": {"store": store},
        "contact_rules": {"once": {"within": "30d"}},
    }
    change(config, **rules)
    world.create_topics(config)
    world.start_vendor()
    dispatcher = world.start(config).wait_ready()
    world.publish([purchase("store", SMS, number) for number in range(5)])
    world.wait_results(5)
    with schema_server(free_ports(1)[0], world.home / "registry.log") as server:
        change(config, registry={"url": server.url})
        said = operate(config, "schemas", "--register")
        found = local_http.get(f"{server.url}/subjects/{world.name}.results-value/versions/latest")
    schema_id = found.json()["id"]
    assert f"results: {{schema_id: {schema_id}}}" in said
    change(config, results={"schema_id": schema_id})
    dispatcher.hang_up()
    until("reloaded", lambda: len(dispatcher.lines("config_applied")) == 1)
    world.publish_raw((None, purchase("store", SMS, number).value, None) for number in range(8))
    world.wait_results(13)
    values = [record.value() or b"" for record in world.result_records()]
    named = [value for value in values if value[:5] == b"\0" + schema_id.to_bytes(4)]
    assert len(named) == 8
    validator = Draft202012Validator(json.loads(found.json()["schema"]))
    results = [json.loads(value[5:]) for value in named]
    assert [error for result in results for error in validator.iter_errors(result)] == []
    assert Counter(result["reason"] for result in results) == {"contact_limit": 5, "accepted": 3}
    shown = operate(config, "results", "summary", "--format", "jsonl")
    rows = [json.loads(line) for line in shown.splitlines() if line.startswith("{")]
    assert [row["results"] for row in rows] == [13]
    assert dispatcher.terminate() == 0
