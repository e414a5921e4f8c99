"""A dispatcher as a process of its own, a world for it to work in, and a judge of what it did.

The judge trusts neither the program nor its metrics: what should happen follows from the events
that the test published, and what did happen from the results topic and the vendors' journal.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from consumer.clock import Clock
from consumer.config import load
from consumer.kafka import topics
from consumer.kafka.clients import admin_client
from consumer.kafka.transactions import Headers
from consumer.records.checkpoint import Checkpoint
from consumer.records.fields import rfc3339
from consumer.records.result import Result, ResultReader
from consumer.sandbox.server import SandboxServer
from consumer.sandbox.settings import SAMPLE_CAMPAIGNS, SAMPLE_PROGRAMME, SandboxSettings
from tests.support import local_http
from tests.support.kafka import create_topics, free_ports, read_topic, unique

SMS, EMAIL, VISIT = SAMPLE_CAMPAIGNS[0].id, SAMPLE_CAMPAIGNS[1].id, SAMPLE_PROGRAMME.id
PATIENCE = 180.0
"""Seconds for what a test waits for; nothing healthy takes as long on a busy machine."""


ANSWER = 60.0
"""Seconds for one answer, of Kafka or a program, that comes at once on a quiet machine."""


def until(what: str, condition: Callable[[], bool], within: float = PATIENCE) -> None:
    """Look until it is so. Raises TimeoutError naming `what`."""
    patience = Retrying(
        retry=retry_if_result(lambda met: not met),
        stop=stop_after_delay(within),
        wait=wait_fixed(0.05),
    )
    try:
        patience(condition)
    except RetryError:
        raise TimeoutError(f"not within {within:.0f} s: {what}") from None


def replace_file(path: Path, text: str) -> None:
    """Write it in one step, as every careful tool does: a reader has the former or the new one."""
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(text)
    draft.replace(path)


# -- events ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Event:
    """A purchase, and the invitation that must follow from it.

    Without a `recipient` it has no usable address.
    """

    id: str
    campaign: str
    recipient: str
    value: bytes


def purchases(channel: str, numbers: Iterable[int]) -> list[Event]:
    """Events of distinct customers: `store` invites by SMS, `web` by e-mail, `cafe` to a visit."""
    campaign = {"store": SMS, "web": EMAIL, "cafe": VISIT}[channel]
    return [purchase(channel, campaign, number) for number in numbers]


def purchase(channel: str, campaign: str, number: int) -> Event:
    """Return the event of one customer in a channel whose route sends to this campaign."""
    phone, email = f"+90532{number:07d}", f"customer{number}@mail.example.com"
    kind, recipient = ("email", email) if channel == "web" else ("phone", phone)
    body = {
        "id": f"{channel}-{number}",
        "time": rfc3339(Clock().now()),
        "channel": channel,
        "customer": {"name": f"Customer Nr{number}", kind: recipient},
    }
    return Event(f"{channel}-{number}", campaign, recipient, orjson.dumps(body))


# -- the program ----------------------------------------------------------------------------------


def command(*arguments: str | Path) -> list[str]:
    """The program's command line."""
    return [sys.executable, "-m", "consumer", *map(str, arguments)]


class Dispatcher:
    """One `run`; its log (JSON lines) is a file. Ends with `terminate`, `kill` or `close`."""

    def __init__(
        self,
        config: Path,
        log: Path,
        port: int,
        *arguments: str,
        program: Sequence[str | Path] = (),
        **environment: str,
    ) -> None:
        self.log = log
        self.port = port
        self._url = f"http://127.0.0.1:{port}"
        # The port is ours alone, so that two processes may share the rest of a config.
        environment = {**os.environ, **environment, "ADMIN_PORT": str(port)}
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [*(program or command()), "run", "--config", config, *arguments],
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def probe(self, path: str) -> tuple[int, str]:
        """Status and body of `/livez` or `/readyz`; 0 while the port is closed."""
        try:
            response = local_http.get(self._url + path)
        except httpx.TransportError:
            return 0, ""
        return response.status_code, response.text

    def wait_ready(self, within: float = PATIENCE) -> Dispatcher:
        """Until `/readyz` says yes and the router has its place in the group."""
        until("ready", lambda: self._alive() and self.probe("/readyz")[0] == 200, within)
        until("assigned", lambda: self._alive() and bool(self.lines("router_assigned")), within)
        return self

    def metrics(self) -> Metrics:
        """A scrape of `/metrics`."""
        return Metrics(local_http.get(self._url + "/metrics").text)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The log's lines of one kind, so far."""
        wanted = f'"event": "{event}"'
        return [json.loads(line) for line in self.log.read_text().splitlines() if wanted in line]

    @property
    def pid(self) -> int:
        """For its memory and CPU."""
        return self._process.pid

    @property
    def pids(self) -> list[int]:
        """It and its children."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [self.pid, *map(int, children.split())]

    def child(self, name: str) -> int:
        """Process of the router or of the sender, where each has its own."""
        return int(self.lines("processes_started")[0][name])

    def terminate(self, within: float = 90.0) -> int:
        """SIGTERM, and the exit code. A stop that hangs ends itself before, and logs where."""
        self._process.terminate()
        status = self._process.wait(within)
        if status != 0:
            print(self.log.read_text()[-5000:])  # noqa: T201 - shown with the test that fails
        return status

    def wait(self, within: float = PATIENCE) -> int:
        """The exit code of a process that ends by itself."""
        return self._process.wait(within)

    def interrupt(self) -> None:
        """SIGTERM alone; `wait` has the exit code."""
        self._process.terminate()

    def hang_up(self) -> None:
        """SIGHUP: read the config again."""
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """`kill -9`."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def pause(self) -> None:
        """Freeze it (SIGSTOP), as a stopped virtual machine does."""
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen one go on (SIGCONT)."""
        for pid in self.pids:
            os.kill(pid, signal.SIGCONT)

    def ended(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    def close(self) -> None:
        """End it however it is."""
        if self._process.poll() is None:
            self.kill()

    def _alive(self) -> bool:
        status = self._process.poll()
        if status is not None:
            raise AssertionError(f"ended with {status}:\n{self.log.read_text()[-3000:]}")
        return True


class Metrics:
    """One scrape. Only what is asked for is parsed: tests scrape many times a second."""

    def __init__(self, text: str) -> None:
        self.text = text

    def total(self, name: str, **labels: str) -> float:
        """The sum over all series of a metric that carry these labels."""
        return sum(
            sample.value
            for sample in self._samples(name)
            if labels.items() <= sample.labels.items()
        )

    def label_values(self, name: str, label: str) -> set[str]:
        """The values of one label that a metric shows."""
        return {sample.labels[label] for sample in self._samples(name)}

    def _samples(self, name: str) -> list[Sample]:
        full = f"survey_dispatcher_{name}"
        lines = [
            line for line in self.text.splitlines() if line.startswith((f"{full}{{", f"{full} "))
        ]
        families = text_string_to_metric_families("\n".join([*lines, ""]))
        return [sample for family in families for sample in family.samples]


# -- the world ------------------------------------------------------------------------------------


@dataclass(slots=True)
class LiveWorld:
    """An application of its own on a broker, with a double of the vendors. A context manager."""

    bootstrap: str
    home: Path
    vendor_port: int = 0
    partitions: int = 3
    events: list[Event] = field(default_factory=list)
    name: str = field(default_factory=lambda: unique("app"))
    journals: list[Mapping[str, Counter[str]]] = field(default_factory=list)
    _ends: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> LiveWorld:
        self.vendor_port = free_ports(1)[0]
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    @property
    def input(self) -> str:
        """The topic that events come on."""
        return f"pos.{self.name}"

    @property
    def vendor_url(self) -> str:
        """Where the double is, or will be."""
        return f"http://127.0.0.1:{self.vendor_port}"

    def start_vendor(self, **settings: Any) -> SandboxServer:
        """Start the double; what it accepts joins the truth that `check` goes by."""
        server = SandboxServer(SandboxSettings(port=self.vendor_port, **settings))
        server.start()
        self._ends.callback(server.stop)
        self.journals.append(server.double.journal.accepted)
        return server

    def set_faults(self, **faults: object) -> None:
        """Replace the faults in force at the double."""
        local_http.post(f"{self.vendor_url}/_sandbox/faults", json=faults).raise_for_status()

    def vendor(self) -> dict[str, Any]:
        """The double's own summary: safe while calls are under way."""
        summary: dict[str, Any] = local_http.get(f"{self.vendor_url}/_sandbox/summary").json()
        return summary

    def configure(
        self,
        quota: Mapping[str, object] | None = None,
        radar_quota: Mapping[str, object] | None = None,
        window: Mapping[str, object] | None = None,
        **campaign: object,
    ) -> Path:
        """Write the config: three routes, two vendors, two lanes. `campaign` holds for all."""
        document = _config(self, dict(quota or {}), dict(radar_quota or {}))
        for each in document["campaigns"].values():
            each |= {"window": dict(window or {}), **campaign}
        path = self.home / "routing.yaml"
        path.write_text(json.dumps(document, indent=2))  # JSON is YAML
        return path

    def create_topics(self, config: Path) -> None:
        """The input topic and the program's own, as its command makes them."""
        create_topics(self.bootstrap, self.input, partitions=self.partitions)
        loaded = load(config, env={"ADMIN_PORT": "0"})
        topics.create(admin_client(loaded.kafka), topics.own_topics(loaded))

    def create_input(self, topic: str) -> None:
        """Make another input topic."""
        create_topics(self.bootstrap, topic, partitions=self.partitions)

    def start(
        self,
        config: Path,
        instance: str = "0",
        *,
        begin: str | None = "earliest",
        program: Sequence[str | Path] = (),
        role: str | None = None,
        more: Sequence[str] = (),
        **environment: str,
    ) -> Dispatcher:
        """Start a dispatcher with a log of its own; it ends with the world at the latest.

        `program`: the words before `run`, where it is not the program of this tree. `role`: of
        which stages, if not of all. `more`: further options.
        """
        first = ("--from", begin) if begin else ()
        arguments = (*first, "--instance", instance, *(("--role", role) if role else ()), *more)
        log = self.home / f"{unique(f'dispatcher-{instance}')}.log"
        port = free_ports(1)[0]
        running = Dispatcher(config, log, port, *arguments, program=program, **environment)
        self._ends.callback(running.close)
        return running

    def publish(self, events: Sequence[Event]) -> None:
        """Write events to the input, and expect a result for each."""
        self.events.extend(events)
        self.publish_raw((event.id.encode(), event.value, None) for event in events)

    def publish_raw(
        self, records: Iterable[tuple[bytes | None, bytes | None, Headers | None]]
    ) -> None:
        """Write records (key, value, headers) to the input as they are."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 5})
        for key, value, headers in records:
            producer.produce(self.input, value, key, headers=headers or [])
        assert producer.flush(ANSWER) == 0

    def invitations_written(self, lane: str = "pisano") -> int:
        """The end of a lane's topic, open transactions included."""
        settings = {"bootstrap.servers": self.bootstrap, "group.id": unique("look")}
        with Consumer({**settings, "isolation.level": "read_uncommitted"}) as client:
            partition = TopicPartition(f"{self.name}.invitations.{lane}", 0)
            return int(client.get_watermark_offsets(partition, timeout=ANSWER)[1])

    def wait_results(self, count: int, within: float = PATIENCE) -> None:
        """Until so many results are visible. Raises TimeoutError."""
        with _Tail(self.bootstrap, f"{self.name}.results") as tail:
            until(f"{count} results", lambda: tail.advance() >= count, within)

    def result_records(self) -> list[Message]:
        """All results so far, as records."""
        return read_topic(self.bootstrap, f"{self.name}.results")

    def results(self) -> list[Result]:
        """All results so far, each checked against the record's model."""
        return [
            ResultReader.validate_json(record.value() or b"") for record in self.result_records()
        ]

    def checkpoints(self, lane: str = "pisano") -> list[tuple[int, Checkpoint]]:
        """Offset and content of the lane's checkpoints that compaction left."""
        return [
            (record.offset() or 0, Checkpoint.model_validate_json(record.value() or b""))
            for record in read_topic(self.bootstrap, f"{self.name}.checkpoints.{lane}")
            if record.key() == lane.encode()
        ]

    def checkpoint(self, lane: str = "pisano") -> Checkpoint:
        """The lane's newest checkpoint. Raises IndexError where there is none yet."""
        return self.checkpoints(lane)[-1][1]

    def accepted(self) -> Counter[tuple[str, str]]:
        """(campaign, recipient) → how often the vendor carried out a call with it."""
        taken: Counter[tuple[str, str]] = Counter()
        for journal in self.journals:
            for campaign, recipients in journal.items():
                for recipient, times in recipients.items():
                    taken[campaign, recipient] += times
        return taken

    def committed(self) -> list[int]:
        """Where the router stands in each partition of the input; -1001 where it never was."""
        settings = {"bootstrap.servers": self.bootstrap, "group.id": f"{self.name}.router"}
        asked = [TopicPartition(self.input, part) for part in range(self.partitions)]
        with Consumer(settings) as client:
            return [each.offset for each in client.committed(asked, timeout=ANSWER)]

    def group_members(self) -> int:
        """Members of all consumer groups of this application."""
        groups = [f"{self.name}.router", f"{self.name}.lane.pisano", f"{self.name}.lane.radar"]
        client = AdminClient({"bootstrap.servers": self.bootstrap})
        described = client.describe_consumer_groups(groups, request_timeout=ANSWER)
        return sum(len(future.result(ANSWER).members) for future in described.values())

    def check(self, unknown_at_most: int = 0) -> list[Result]:
        """Exactly one result for each published event, and the vendor agrees with all of them.

        An `unknown` result leaves open whether the vendor accepted; all others do not.
        """
        results = self.results()
        times = Counter(result["event_id"] for result in results)
        repeated = sorted(each for each, number in times.items() if number != 1)
        assert not repeated, f"not exactly one result: {len(repeated)} events, as {repeated[:3]}"
        missing = {event.id for event in self.events} - times.keys()
        assert not missing, f"no result: {len(missing)} events, as {sorted(missing)[:3]}"
        assert times.keys() == {event.id for event in self.events}
        assert len({result["id"] for result in results}) == len(results)
        self._compare_with_vendor({each["event_id"]: each for each in results}, unknown_at_most)
        return results

    def _compare_with_vendor(self, results: Mapping[str, Result], unknown_at_most: int) -> None:
        taken = self.accepted()
        twice = [each for each, number in taken.items() if number > 1]
        assert not twice, f"the vendor accepted {len(twice)} customers twice"
        unknown = 0
        for event in self.events:
            status = results[event.id]["status"]
            if status == "unknown":
                unknown += 1
            else:
                sent = taken[event.campaign, event.recipient] == 1
                assert sent == (status == "accepted"), f"{event.id} is {status}, sent: {sent}"
        assert unknown <= unknown_at_most, f"{unknown} results are unknown"
        assert taken.keys() <= {(event.campaign, event.recipient) for event in self.events}


class _Tail:
    """Counts the records of a topic as they become visible."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._count = 0
        self._client = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": unique("tail"),
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "log_level": 0,  # a broker that a test has killed is no news
            }
        )
        parts = self._client.list_topics(topic, timeout=ANSWER).topics[topic].partitions
        self._client.assign([TopicPartition(topic, part, OFFSET_BEGINNING) for part in parts])

    def advance(self) -> int:
        """Read on for a moment; how many there were so far."""
        messages = self._client.consume(1000, 0.05)
        self._count += sum(message.error() is None for message in messages)
        return self._count

    def __enter__(self) -> _Tail:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(RuntimeError):
            self._client.close()


def _config(
    world: LiveWorld, quota: dict[str, object], radar_quota: dict[str, object]
) -> dict[str, Any]:
    """The whole config as a document; `${env:ADMIN_PORT}` is set by `Dispatcher`."""
    settings = SandboxSettings()
    usual = {"limits": [], "linger": "200ms", "first_start": "unused", "call_timeout": "5s"}
    data = {"custom_attributes": {"name": "customer.name"}}
    pisano = {"vendor": "pisano"}
    return {
        "version": 1,
        "application_id": world.name,
        "kafka": {"bootstrap.servers": world.bootstrap},
        "pseudonym": {"key_id": "k1", "key": "not-a-secret-of-integration-tests"},
        "quotas": {"pisano": usual | quota, "radar": usual | radar_quota},
        "vendors": {
            "pisano": {
                "type": "pisano",
                "base_url": world.vendor_url,
                "token": settings.pisano_token,
                "quota": "pisano",
            },
            "radar": {
                "type": "customer_radar",
                "base_url": world.vendor_url,
                "username": settings.radar_username,
                "password": settings.radar_password,
                "client": settings.radar_client,
                "quota": "radar",
            },
        },
        "campaigns": {
            "purchase-sms": {**pisano, "channel": "sms", "id": SMS},
            "purchase-email": {**pisano, "channel": "email", "id": EMAIL},
            "visit": {"vendor": "radar", "channel": "invitation", "id": VISIT},
        },
        "inputs": {"pos": {"topics": [world.input], "format": "json"}},
        "routes": [
            _route("store", "purchase-sms", data),
            _route("web", "purchase-email", data),
            _route("cafe", "visit", {"locationDisplayId": f"'{VISIT}'"}),
        ],
        "admin": {"host": "127.0.0.1", "port": "${env:ADMIN_PORT}"},
    }


def _route(channel: str, campaign: str, data: Mapping[str, object]) -> dict[str, object]:
    return {
        "name": channel,
        "input": "pos",
        "match": {"channel": [channel]},
        "recipient": {"phone": "customer.phone", "email": "customer.email"},
        "phone_region": "TR",
        "send": [campaign],
        "data": data,
    }
