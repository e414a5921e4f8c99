"""`python -m benchmarks.formats outage`: a registry is killed for a minute, and schemas change.

Each format gets `RATE` events a second. After 15 s the registry is killed. After 20 s the producers
of Avro, Protobuf and validated JSON go over to new schemas, and 20 records of an unknown id come
in. After 75 s a registry is there again, with the new schemas, too. All values are made before, by
serialisers against a registry that gives the same ids. Right is: one result for each event, and
one dead letter for each record of the unknown id.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Producer

from benchmarks.formats.writers import AVRO, JSON_SCHEMA, PROTO
from benchmarks.throughput import config, workload
from benchmarks.throughput.measure import Program, committed_values
from benchmarks.throughput.scene import Scene, scene
from benchmarks.throughput.systems import dispatcher
from tests.support.kafka import create_topics, free_ports, unique
from tests.support.protos import message_class
from tests.support.registry import schema_server, url_of
from tests.support.serialisers import Serialisers

RATE, SECONDS = 100, 90
KILLED, CHANGED, BACK = 15, 20, 75
POISONED = [b"\x00\x00\x00\x27\x0f\x00"] * 20
SAMPLE = workload.event(0, 0)
NEWER_AVRO = {**AVRO, "fields": [{"name": "till", "type": "int"}, *AVRO["fields"]]}
NEWER_PROTO = PROTO.replace("string currency = 3;", "string currency_code = 3; int32 till = 12;")
NEWER_SCHEMA = {**JSON_SCHEMA, "required": ["id", "time", "customer", "amount"]}
AVRO_TIME = 1_795_348_800_000
"""The time of the workload's events, in ms."""

Write = Callable[[dict[str, Any]], bytes]
Values = Mapping[str, list[bytes]]


def main() -> None:
    """Print what became of the events, waits and memory."""
    port = free_ports(1)[0]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "registry.log"
        with schema_server(port, log) as server, Serialisers(server.url) as writers:
            values = written(registered(old(writers)), registered(new(writers)))
        with scene() as place:
            print(json.dumps(run(place, port, log, values), ensure_ascii=False))


# -- values ---------------------------------------------------------------------------------------


def old(writers: Serialisers) -> dict[str, Write]:
    """Return format → what writes its events in the old schema."""
    return {
        "json": orjson.dumps,
        "form": _form(writers, JSON_SCHEMA),
        "avro": _avro(writers, AVRO),
        "proto": _proto(writers, PROTO),
    }


def new(writers: Serialisers) -> dict[str, Write]:
    """Return format → what writes its events in the new schema."""
    return {
        "json": orjson.dumps,
        "form": _form(writers, NEWER_SCHEMA),
        "avro": _avro(writers, NEWER_AVRO),
        "proto": _proto(writers, NEWER_PROTO),
    }


def registered(writes: dict[str, Write]) -> dict[str, Write]:
    """Write an event of each, which registers the schemas in this order."""
    for write in writes.values():
        write(SAMPLE)
    return writes


def written(before: Mapping[str, Write], after: Mapping[str, Write]) -> Values:
    """Return format → the values of all seconds; no event's id is in two."""
    found: dict[str, list[bytes]] = {}
    for place, name in enumerate(before):
        first = place * RATE * SECONDS
        events = [workload.event(first + number, number % 50) for number in range(RATE * SECONDS)]
        change = RATE * CHANGED
        found[name] = [before[name](event) for event in events[:change]]
        found[name] += [after[name](event) for event in events[change:]]
    return found


def _form(writers: Serialisers, schema: Any) -> Write:
    @cache
    def prefix() -> bytes:
        return writers.json("form", schema)(SAMPLE)[:5]

    return lambda event: prefix() + orjson.dumps(event)


def _avro(writers: Serialisers, schema: Any) -> Write:
    serialise = writers.avro("avro", schema)
    return lambda event: serialise({**event, "till": 7, "time": AVRO_TIME})


def _proto(writers: Serialisers, text: str) -> Write:
    message = message_class(text, "shop.Transaction")
    serialise = writers.protobuf("proto", message)
    names = set(message.DESCRIPTOR.fields_by_name) - {"time"}

    def write(event: dict[str, Any]) -> bytes:
        made = message(**{name: value for name, value in event.items() if name in names})
        made.time.FromJsonString(event["time"])
        return serialise(made)

    return write


# -- the scene ------------------------------------------------------------------------------------


class Player:
    """Produces the values at their times."""

    def __init__(self, place: Scene, topics: Mapping[str, str], values: Values) -> None:
        self._producer = Producer({"bootstrap.servers": place.bootstrap, "linger.ms": 5})
        self._topics, self._values = topics, values
        self._began = time.monotonic()

    def play(self, first: int, last: int) -> None:
        """Produce what is due from one second to another."""
        for second in range(first, last):
            for name, values in self._values.items():
                for value in values[second * RATE : (second + 1) * RATE]:
                    self._producer.produce(self._topics[name], value)
            if second == CHANGED:
                for value in POISONED:
                    self._producer.produce(self._topics["poison"], value)
            self._producer.flush()
            time.sleep(max(0.0, self._began + second + 1 - time.monotonic()))


def document(place: Scene, port: int, topics: Mapping[str, str]) -> dict[str, Any]:
    """Return the config: an input for each format, with the same route."""
    made = config.document(unique("outage"), place.bootstrap, place.sink, topics["json"])
    made["registry"] = {"url": url_of(port)}
    entries: dict[str, dict[str, Any]] = {
        "avro": {"format": "avro", "topics": [topics["avro"], topics["poison"]]},
        "proto": {"format": "protobuf", "topics": [topics["proto"]]},
        "form": {"format": "json_schema", "validate": True, "topics": [topics["form"]]},
    }
    (route,) = made["routes"]
    for name, entry in entries.items():
        made["inputs"][name] = entry
        made["routes"].append({**route, "name": name, "input": name})
    return made


def run(place: Scene, port: int, log: Path, values: Values) -> dict[str, Any]:
    """Play the scene; return its figures."""
    topics = {name: unique(name) for name in (*values, "poison")}
    create_topics(place.bootstrap, *topics.values(), partitions=1)
    made = document(place, port, topics)
    job = dispatcher(place, made)
    letters = f"{made['application_id']}.dead-letters"
    memory = dict[str, float]()
    with schema_server(port, log) as server, Serialisers(server.url) as writers:
        registered(old(writers))
        program = Program(place, job)
        player = Player(place, topics, values)
        player.play(0, KILLED)
        memory["before"] = program.tree.memory()
    player.play(KILLED, BACK)
    memory["in the outage"] = program.tree.memory()
    meanwhile = by_format(place, job.results, values)
    with schema_server(port, log) as server, Serialisers(server.url) as writers:
        registered(old(writers))
        registered(new(writers))
        back = time.monotonic()
        player.play(BACK, SECONDS)
        total = sum(map(len, values.values()))
        memory["before what waits is read"] = program.tree.memory()
        ended = wait(lambda: count(place, job.results) >= total) - back
        memory["after all results"] = program.tree.memory()
        poisoned = wait(lambda: count(place, letters) >= len(POISONED)) - back
        memory["at the end"] = program.tree.memory()
        program.stop()
    found = by_format(place, job.results, values)
    return {
        "events a format": RATE * SECONDS,
        "results": dict(found),
        "dead letters": count(place, letters),
        f"results by second {BACK}": dict(meanwhile),
        "all results, s after the registry is back": round(ended, 1),
        "dead letters of unknown ids, s after it is back": round(poisoned, 1),
        "MB": {when: round(size) for when, size in memory.items()},
    }


def by_format(place: Scene, topic: str, values: Values) -> Counter[str]:
    """Count the events of each format that have a result. Raises SystemExit for one with two."""
    names, seen = list(values), set[str]()
    for value in committed_values(place.bootstrap, topic):
        event = orjson.loads(value)["event_id"]
        if event in seen:
            raise SystemExit(f"{event} has two results")
        seen.add(event)
    return Counter(names[int(event.removeprefix("t-")) // (RATE * SECONDS)] for event in seen)


def wait(done: Callable[[], bool]) -> float:
    """Wait until something is so, three minutes at most; return when."""
    until = time.monotonic() + 180
    while not done() and time.monotonic() < until:
        time.sleep(0.5)
    return time.monotonic()


def count(place: Scene, topic: str) -> int:
    """Return how many committed records a topic has."""
    return sum(1 for _ in committed_values(place.bootstrap, topic))
