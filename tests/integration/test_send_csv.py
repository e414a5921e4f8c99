"""`send-csv` on a real Kafka: each row once, whatever ends the command, by its route's rules."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pytest

from consumer.config import load
from consumer.kafka import topics
from consumer.kafka.clients import admin_client
from consumer.records.fields import rfc3339
from tests.integration.test_due_times import start as start_with_short_delays
from tests.integration.test_operations import change, operate
from tests.support.dispatcher import SMS, LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker, create_topics, read_topic

NAME = "Çağla Canary"
HEADER = "Müşteri;Telefon;Not"
MAPPED = ("--column", "Telefon=customer.phone", "--column", "Müşteri=customer.name")

SMALL_TRANSACTIONS = """
import sys
from consumer.operations.uploads import upload
upload.AT_ONCE = 20
from consumer.cli.main import main
main()
"""


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def phone(number: int) -> str:
    return f"+90532{number:07d}"


def rows(numbers: Sequence[int]) -> list[str]:
    """Rows of distinct customers, as Excel writes them."""
    return [f"{NAME} {number};0532 {number:07d};" for number in numbers]


def write(world: LiveWorld, lines: Sequence[str], name: str = "customers.csv") -> Path:
    path = world.home / name
    path.write_bytes("\r\n".join([HEADER, *lines, ""]).encode("windows-1254"))
    return path


def send(config: Path, file: Path, *words: str, route: str = "store") -> str:
    return operate(config, "send-csv", str(file), "--route", route, *MAPPED, *words, "--yes")


def uploaded(world: LiveWorld) -> Counter[str]:
    """Row → how often it stands on the uploads topic, committed."""
    records = read_topic(world.bootstrap, f"{world.name}.uploads")
    return Counter(str(orjson.loads(record.value() or b"")["id"]) for record in records)


def asked(world: LiveWorld) -> Counter[str]:
    """Phone → how often the vendor took it."""
    taken: Counter[str] = Counter()
    for (campaign, recipient), times in world.accepted().items():
        assert campaign == SMS
        taken[recipient] += times
    return taken


def test_each_row_of_a_file_is_sent_once_and_a_mended_row_afterwards(world: LiveWorld) -> None:
    """Two rows are equal, two have no usable phone, one has a cell too many. The rows stand on
    the topic before the first start, which begins elsewhere at `latest`."""
    world.start_vendor()
    config = world.configure()
    world.create_topics(config)
    bad = ["Ada;12;", "Ali;;", "Ay;0532 0000009;;"]
    file, report = write(world, [*rows(range(30)), rows([29])[0], *bad]), world.home / "report.csv"
    said = send(config, file, "--report", str(report))
    assert "windows-1254" in said
    assert "31 rows sent" in said
    with report.open(newline="") as text:
        noted = [(row["row"], row["reason"], row["columns"]) for row in csv.DictReader(text)]
    assert noted == [
        ("33", "invalid_recipient", "Telefon"),
        ("34", "no_recipient", "Telefon"),
        ("35", "unreadable", ""),
    ]
    for shown in (said, report.read_text()):
        assert not any(canary in shown for canary in ("Canary", "0000029", "+90532"))
    running = world.start(config, begin="latest").wait_ready()
    world.wait_results(31)
    assert "nothing to send" in send(config, file)
    file = write(world, [*rows(range(30)), rows([29])[0], rows([40])[0], *bad[1:]])
    assert "1 rows sent" in send(config, file)
    world.wait_results(32)
    assert running.terminate() == 0
    assert asked(world) == {**{phone(n): 1 for n in range(29)}, phone(29): 2, phone(40): 1}
    results = world.results()
    assert {result["event_id"] for result in results} == uploaded(world).keys()
    assert len({result["id"] for result in results}) == 32
    assert {result["route"] for result in results} == {"store"}
    log = running.log.read_text()
    assert "Canary" not in log
    assert "532" + f"{0:07d}" not in log


def test_a_row_is_known_by_its_id(world: LiveWorld) -> None:
    """Its other cells may change; a second row with the id is held back."""
    config = world.configure()
    world.create_topics(config)
    first = write(world, ["Ada;0532 0000001;n1", "Ali;0532 0000002;n2", "Ada;0532 0000003;n1"])
    assert "2 rows sent" in send(config, first, "--id", "Not")
    again = write(world, ["Ada;0532 0000009;n1", "Ali;0532 0000002;n2", "Ada;0532 0000001;n3"])
    assert "1 rows sent" in send(config, again, "--id", "Not")
    assert len(uploaded(world)) == 3


def test_a_dry_run_sends_nothing_and_an_unknown_route_is_refused(world: LiveWorld) -> None:
    config = world.configure()
    file = write(world, rows(range(5)))
    assert "uploads is missing" in send(config, file)
    world.create_topics(config)
    said = send(config, file, "--dry-run")
    assert "nothing was sent" in said
    assert "there are: store, web, cafe" in send(config, file, route="shop")
    assert "--column" in operate(config, "send-csv", str(file), "--route", "store", "--yes")
    assert uploaded(world) == {}


def begin_to_send(world: LiveWorld, config: Path, file: Path) -> subprocess.Popen[str]:
    """Start the command as a process of its own, and wait until some rows are sent."""
    words = ["send-csv", file, "--route", "store", *MAPPED, "--yes", "--config", config]
    process = subprocess.Popen(
        [sys.executable, "-c", SMALL_TRANSACTIONS, *map(str, words)],
        env={**os.environ, "ADMIN_PORT": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until("some rows are sent", lambda: len(uploaded(world)) > 100 or process.poll() is not None)
    return process


def test_after_kill_9_the_same_command_sends_the_rest(world: LiveWorld) -> None:
    config = world.configure()
    world.create_topics(config)
    file = write(world, rows(range(6_000)))
    process = begin_to_send(world, config, file)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = len(uploaded(world))
    assert 0 < before < 6_000
    said = send(config, file)
    assert "rows sent" in said
    assert "sent_before" in said
    assert set(uploaded(world).values()) == {1}
    assert len(uploaded(world)) == 6_000
    assert "nothing to send" in send(config, file)


def test_of_two_commands_at_once_the_second_sends_the_rest(world: LiveWorld) -> None:
    """The first is frozen amid a file; thawed, it finds itself fenced and says so."""
    config = world.configure()
    world.create_topics(config)
    file = write(world, rows(range(6_000)))
    process = begin_to_send(world, config, file)
    process.send_signal(signal.SIGSTOP)
    try:
        assert "rows sent" in send(config, file)
    finally:
        process.send_signal(signal.SIGCONT)
    said, _ = process.communicate()
    assert process.returncode != 0
    assert "another run of it goes on" in said
    assert set(uploaded(world).values()) == {1}
    assert len(uploaded(world)) == 6_000


def test_rows_of_a_route_that_left_the_config_are_dead_letters_until_it_is_back(
    world: LiveWorld,
) -> None:
    world.start_vendor()
    config = world.configure()
    world.create_topics(config)
    assert "3 rows sent" in send(config, write(world, rows(range(3))))
    store, *others = json.loads(config.read_text())["routes"]
    change(config, routes=others)
    running = world.start(config).wait_ready()
    letters = f"{world.name}.dead-letters"
    until("three letters", lambda: len(read_topic(world.bootstrap, letters)) == 3)
    assert running.terminate() == 0
    assert "no_route" in operate(config, "dlq", "list")
    change(config, routes=[store, *others])
    assert "purchase-sms" in operate(config, "explain", f"{world.name}.uploads:0:0")
    assert "purchase-sms" in operate(config, "explain", f"{letters}:0:0")
    assert "3 replayed" in operate(config, "dlq", "replay", "--reason", "no_route", "--yes")
    running = world.start(config, begin=None).wait_ready()
    world.wait_results(3)
    assert running.terminate() == 0
    assert asked(world) == {phone(n): 1 for n in range(3)}


def test_rows_wait_for_the_time_that_the_command_names(world: LiveWorld) -> None:
    world.start_vendor()
    config = world.configure()
    world.create_topics(config)
    running = start_with_short_delays(world, config)
    due = time.time() + 6
    said = send(config, write(world, rows(range(4))), "--not-before", rfc3339(due))
    assert "no invitation is sent before" in said
    world.wait_results(4)
    assert running.terminate() == 0
    assert all(str(result["sent_at"]) >= rfc3339(due - 0.002) for result in world.results())
    assert all(result["event_time"] == rfc3339(due) for result in world.results())


def test_a_running_dispatcher_finds_the_topic_when_it_is_made(world: LiveWorld) -> None:
    """An upgrade of an application that has none: its events go on, and it looks again."""
    world.start_vendor()
    config = world.configure()
    create_topics(world.bootstrap, world.input, partitions=world.partitions)
    loaded = load(config, env={"ADMIN_PORT": "0"})
    topics.create(admin_client(loaded.kafka), topics.needed_topics(loaded))
    running = world.start(config).wait_ready()
    until("it is said", lambda: bool(running.lines("uploads_topic_missing")))
    world.publish(purchases("store", range(3)))
    world.wait_results(3)
    operate(config, "topics", "--create")
    assert "2 rows sent" in send(config, write(world, rows([8, 9])))
    world.wait_results(5)
    assert running.terminate() == 0
    assert asked(world) == {phone(n): 1 for n in (0, 1, 2, 8, 9)}
