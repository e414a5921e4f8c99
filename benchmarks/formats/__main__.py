"""Input formats beside JSON: `python -m benchmarks.formats decoders|router|outage`.

`decoders`: each format's decoder in this process, µs of CPU an event. `router`: the router alone on
a real Kafka with a real registry, on the same transactions in each format. Both compare with JSON
in the same run, and fail if a format's invitations are not those of JSON. `outage`: see its module.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Producer

from benchmarks.formats import outage
from benchmarks.formats.writers import Format, Written, events, formats
from benchmarks.throughput import config
from benchmarks.throughput.measure import committed_values, measure, startup
from benchmarks.throughput.scene import PARTITIONS, Scene, scene
from benchmarks.throughput.systems import Job, Prepare, router
from consumer.config.models import Config
from consumer.records.input_record import InputRecord, RecordEnvelope
from consumer.routing.decoding.payload import Payload
from consumer.wiring.build import build_router, build_vendors
from tests.support.kafka import create_topics, free_ports, unique
from tests.support.registry import schema_server
from tests.support.serialisers import Serialisers

ALIKE = ("campaign", "event_at", "address", "data", "pseudonym", "priority")
"""What an invitation has that does not depend on its event's place."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a JSON line for each format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("decoders", "router", "outage"))
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--formats", nargs="+", metavar="NAME", help="JSON and these alone")
    given = parser.parse_args(arguments)
    if given.part == "outage":
        return outage.main()
    run = measure_decoders if given.part == "decoders" else measure_router
    with registry() as url, Serialisers(url) as writers:
        forms = formats(writers)
        chosen = {"json", *(given.formats or forms)}
        forms = {name: form for name, form in forms.items() if name in chosen}
        run(forms, url, given.events, given.runs)
    return None


@contextmanager
def registry() -> Iterator[str]:
    """Run a schema registry."""
    with (
        tempfile.TemporaryDirectory() as folder,
        schema_server(free_ports(1)[0], Path(folder) / "registry.log") as server,
    ):
        yield server.url


def document_of(form: Format, url: str, name: str, place: Scene, source: str) -> dict[str, Any]:
    """Return the common config with the input in this format."""
    made = config.document(name, place.bootstrap, place.sink, source)
    made["registry"] = {"url": url}
    made["inputs"]["pos"] = {"topics": [source], **form.entry}
    return made


# -- decoders -------------------------------------------------------------------------------------


def measure_decoders(forms: Mapping[str, Format], url: str, count: int, runs: int) -> None:
    """Decode and identify events in this process; the least of the runs."""
    decoders = {name: decoder(form, url) for name, form in forms.items()}
    records = {name: list(records_of(form, count)) for name, form in forms.items()}
    least = dict.fromkeys(forms, float("inf"))
    for _ in range(runs):
        for name, decode in decoders.items():
            began = time.process_time()
            for record in records[name]:
                decode(record)
            least[name] = min(least[name], time.process_time() - began)
    for name, seconds in least.items():
        figures = {"µs": round(seconds / count * 1e6, 2)}
        figures["÷ json"] = round(seconds / least["json"], 2)
        size = sum(len(record.value or b"") for record in records[name]) / count
        print(json.dumps({"format": name, **figures, "bytes": round(size)}, ensure_ascii=False))


def decoder(form: Format, url: str) -> Callable[[InputRecord], Payload | None]:
    """Return what decodes a record of this format."""
    place = Scene("127.0.0.1:1", "http://127.0.0.1:1", Path())
    made = document_of(form, url, "bench", place, "tx")
    made["admin"]["port"] = 0
    parsed = Config.model_validate_json(json.dumps(made))
    return build_router(parsed, build_vendors(parsed)).inputs["tx"].decoder.load


def records_of(form: Format, count: int) -> Iterator[InputRecord]:
    """Yield the records of the events."""
    for offset, written in enumerate(map(form.write, events(count))):
        headers = [(name, as_bytes(content)) for name, content in written.headers]
        around = RecordEnvelope(headers=headers)
        yield InputRecord("tx", 0, offset, written.value, partial(_same, around))


def as_bytes(content: str | bytes | None) -> bytes | None:
    """Return a header's content as Kafka delivers it."""
    return content.encode() if isinstance(content, str) else content


def _same(around: RecordEnvelope) -> RecordEnvelope:
    return around


# -- the router -----------------------------------------------------------------------------------


def measure_router(forms: Mapping[str, Format], url: str, count: int, runs: int) -> None:
    """Run the router on each format's topic, in turn."""
    with scene() as place:
        sources = {
            name: fill(place, map(form.write, events(count))) for name, form in forms.items()
        }
        started = startup(prepare(forms["json"], url, []), place)
        for _ in range(runs):
            json_work, expected = 0.0, 0
            for name, form in forms.items():
                topics = list[str]()
                run = measure(
                    name, prepare(form, url, topics), place, sources[name], count, started=started
                )
                json_work, found = json_work or run.work, digest(place.bootstrap, topics[0], count)
                expected = expected or found
                if found != expected:
                    raise SystemExit(f"{name}: the invitations are not those of JSON")
                figures = {"CPU-s": run.work, "events a CPU-s": round(count / run.work)}
                figures |= {"throughput ÷ json": round(json_work / run.work, 2)}
                figures |= {"first to last, s": run.first_to_last, "peak MB": run.peak_mb}
                print(json.dumps({"format": name, **figures}, ensure_ascii=False), flush=True)


def prepare(form: Format, url: str, topics: list[str]) -> Prepare:
    """Return the router's job; its invitations' topic is added to `topics`."""

    def prepare_job(place: Scene, source: str, _: int) -> Job:
        job = router(place, document_of(form, url, unique("formats"), place, source))
        topics.append(job.results)
        return job

    return prepare_job


def digest(bootstrap: str, topic: str, count: int) -> int:
    """Return a sum over all invitations that does not depend on their order. Raises SystemExit for
    one that is missing or there twice."""
    total, seen = 0, set[str]()
    for value in committed_values(bootstrap, topic):
        invitation = orjson.loads(value)
        seen.add(invitation["result"]["event_id"])
        alike = [invitation[key] for key in ALIKE if key in invitation]
        total ^= hash(orjson.dumps([invitation["result"]["event_id"], alike]))
        count -= 1
    if count or not seen:
        raise SystemExit(f"{-count} invitations too many, {len(seen)} events")
    return total


def fill(place: Scene, records: Iterator[Written]) -> str:
    """Produce the records to a topic; return its name."""
    source = unique("transactions")
    create_topics(place.bootstrap, source, partitions=PARTITIONS)
    producer = Producer(
        {
            "bootstrap.servers": place.bootstrap,
            "linger.ms": 20,
            "queue.buffering.max.messages": 1_000_000,
            "compression.type": "lz4",
        }
    )
    for number, written in enumerate(records):
        producer.produce(source, written.value, f"c{number}", headers=written.headers)
        if number % 1_000 == 0:
            producer.poll(0)
    producer.flush()
    return source


if __name__ == "__main__":
    main()
