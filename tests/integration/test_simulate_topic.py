"""`simulate --topic`: a range of an input topic as recorded events, and no group's offset moves."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pytest
import typer
from confluent_kafka import Producer
from typer.testing import CliRunner

from consumer.cli.simulate import simulate
from consumer.errors import OperationError
from consumer.simulate.recordings import Point, topic_records
from tests.support.kafka import KafkaBroker, create_topics, unique

CONFIG = """\
version: 1
application_id: {topic}
kafka: {{bootstrap.servers: "localhost:1"}}
pseudonym: {{key_id: k1, key: simulated-key-0123456789}}
quotas: {{pisano: {{limits: [20/5s]}}}}
vendors:
  pisano: {{type: pisano, base_url: "https://tr.example.test", token: none, quota: pisano}}
campaigns:
  sms: {{vendor: pisano, channel: sms, id: a6aa1866-dcaa-462c-a52d-0c22b0ca1616}}
inputs: {{pos: {{topics: [{topic}], format: json}}}}
routes:
  - {{name: all, input: pos, recipient: {{phone: phone}}, phone_region: TR, send: [sms]}}
"""
NOON = 1_795_000_000.0


@pytest.fixture
def topic(kafka: KafkaBroker) -> str:
    """Two partitions with three records each, written a minute apart from noon on."""
    name = unique("sales")
    forever = {"retention.ms": "-1"}  # the broker deletes records of a noon of long ago
    create_topics(kafka.bootstrap, name, partitions=2, config=forever)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for number in range(6):
        when = NOON + 60.0 * number
        event = {"id": f"t{number}", "time": int(when * 1000), "phone": f"+90532{number:07d}"}
        stamp = int(when * 1000)
        producer.produce(name, orjson.dumps(event), partition=number % 2, timestamp=stamp)
    producer.flush(10)
    return name


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        ("earliest", "latest", "012345"),
        (1, "latest", "2345"),
        ("earliest", 1, "01"),
        (7, "latest", ""),
        (NOON + 61.0, "latest", "2345"),
        ("earliest", NOON + 180.0, "012"),
        (NOON + 9999.0, "latest", ""),
        ("latest", "latest", ""),
    ],
)
def test_a_range_goes_by_offset_or_by_time(
    kafka: KafkaBroker, topic: str, begin: Point, end: Point, expected: str
) -> None:
    found = topic_records({"bootstrap.servers": kafka.bootstrap}, topic, begin, end)
    assert sorted(orjson.loads(each.value or b"")["id"] for each in found) == [
        f"t{number}" for number in expected
    ]


def test_a_topic_that_is_not_there_is_named(kafka: KafkaBroker) -> None:
    with pytest.raises(OperationError, match="topic nowhere does not exist"):
        list(topic_records({"bootstrap.servers": kafka.bootstrap}, "nowhere"))


def test_the_command_reads_routes_and_plays(kafka: KafkaBroker, topic: str, tmp_path: Path) -> None:
    config = tmp_path / "routing.yaml"
    config.write_text(CONFIG.format(topic=topic))
    app = typer.Typer()
    app.command()(simulate)
    given = ["-c", str(config), "--topic", topic, "--bootstrap", kafka.bootstrap, "--from", "1"]
    result = CliRunner().invoke(app, [*given, "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["customers"], told["lanes"][0]["campaigns"][0]["campaign"]) == (4, "sms")
