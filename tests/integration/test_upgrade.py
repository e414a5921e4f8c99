"""Upgrade in place from commit 258f27a and rollback to it: both programs on a real Kafka.

At each stop invitations are wherever the other program must find them: in a lane, some of them
tried before, in flight, settled behind others that are not, on a delay topic, dead letters too.
"""

from __future__ import annotations

import json
import random
import re
import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from consumer.lane.offsets.bitmap import extent, pack, unpack
from consumer.lane.state.delay_steps import STEPS
from consumer.records.checkpoint import Checkpoint, InFlight, Tried
from consumer.records.readers import read_invitation
from consumer.sandbox.server import SandboxServer
from consumer.sandbox.settings import SAMPLE_CAMPAIGNS, PisanoCampaign
from tests.support import local_http
from tests.support.dispatcher import (
    ANSWER,
    EMAIL,
    SMS,
    VISIT,
    Dispatcher,
    Event,
    LiveWorld,
    purchase,
    until,
)
from tests.support.former_program import REPOSITORY, Program, checkout
from tests.support.kafka import KafkaBroker, create_topics, read_topic

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]

FORMER = "258f27a"
DELAY = 6.0
"""Seconds that an invitation is delayed; outside tests 60 at first."""

LANES = ("pisano", "radar")
NAMES = {
    "topics": {
        "results",
        "dead-letters",
        "replayed",
        *(f"delayed.{step}" for step in ("1m", "10m", "1h", "6h", "24h")),
        *(f"invitations.{lane}" for lane in LANES),
        *(f"checkpoints.{lane}" for lane in LANES),
    },
    "groups": {"router", "ladder", *(f"lane.{lane}" for lane in LANES)},
    "transactional ids": {"router", "ladder", *(f"lane.{lane}" for lane in LANES)},
}
"""What Kafka remembers of 258f27a, behind the application's prefix and before an instance."""

NEW_NAMES = NAMES | {"topics": NAMES["topics"] | {"commands", "pauses", "uploads", "uploaded"}}

PARKED, MENDED = "campaign-parked", "campaign-mended"
CAMPAIGNS = {
    "store": SMS,
    "web": EMAIL,
    "app": SAMPLE_CAMPAIGNS[2].id,
    "kiosk": PARKED,
    "outlet": MENDED,
    "cafe": VISIT,
}
"""Channel of a purchase → the vendor's campaign. `cafe` has the lane `radar` and one call at a
time, the others share the lane `pisano`. `web` is sent again when it is in doubt."""

TRY_AGAIN, NO_CAMPAIGN = "13000", "13002"
LIMITS = ["200/1m"]


@pytest.fixture(scope="module")
def former(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The program of 258f27a."""
    root = checkout(FORMER, tmp_path_factory.mktemp("former"))
    return Program(root, DELAY, "held_invitations")


@pytest.fixture(scope="module")
def today() -> Program:
    """The program of this tree."""
    return Program(REPOSITORY, DELAY)


@pytest.fixture
def story(kafka: KafkaBroker, tmp_path: Path, former: Program) -> Iterator[Story]:
    """An application of its own on the session's broker, with the topics that 258f27a makes."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        story = Story(world)
        create_topics(world.bootstrap, world.input, partitions=world.partitions)
        create: tuple[str | Path, ...] = ("topics", "--create", "--config", story.former_config)
        # 258f27a looks for them at once, before the broker shows them.
        until("topics", lambda: "is missing" not in former.run(*create, status=None))
        yield story


@dataclass
class Story:
    """An application under changing programs.

    `doubtful`: events whose customers were sent to, and no answer was recorded. `resent`: the same
    with `in_doubt: resend`, and the vendor had not acted. `parked`: those of `kiosk`, refused until
    the last program runs. `delayed`: what was on the delay topics just before a stop.
    """

    world: LiveWorld
    doubtful: set[str] = field(default_factory=set)
    resent: set[str] = field(default_factory=set)
    parked: list[Event] = field(default_factory=list)
    delayed: list[Mapping[str, Any]] = field(default_factory=list)
    broken: int = 0
    vendor: SandboxServer = field(init=False)
    _numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        """Write the config for 258f27a, and the same with today's keys."""
        sizes = {"max_held": 5_000, "max_held_bytes": 5_000_000}
        quota = {"limits": LIMITS, "skew": "100ms", "call_timeout": "120s", **sizes}
        one_call = {**quota, "max_in_flight": 1}
        self.former_config = self.world.configure(quota, one_call, max_attempts=100).rename(
            self.world.home / "former.yaml"
        )
        document = json.loads(self.former_config.read_text())
        campaigns, routes = document["campaigns"], document["routes"]
        campaigns["purchase-email"]["in_doubt"] = "resend"
        for name, channel in (("app", "push"), ("kiosk", "sms"), ("outlet", "sms")):
            own = {"channel": channel, "id": CAMPAIGNS[name]}
            campaigns[name] = campaigns["purchase-sms"] | own
            routes.append(routes[0] | {"name": name, "match": {"channel": [name]}, "send": [name]})
        self.former_config.write_text(json.dumps(document, indent=2))
        for settings in document["quotas"].values():
            settings["max_buffered"] = settings.pop("max_held")
            settings["max_buffered_bytes"] = settings.pop("max_held_bytes")
        self.config = self.world.home / "today.yaml"
        self.config.write_text(json.dumps(document, indent=2))

    # -- programs and the vendor --------------------------------------------------------------

    def start_vendor(self, **faults: object) -> None:
        """Start the vendor's double, with all campaigns of the config."""
        known = [PisanoCampaign(id=name, channel="sms") for name in (PARKED, MENDED)]
        self.vendor = self.world.start_vendor(
            campaigns=[*SAMPLE_CAMPAIGNS, *known],
            pisano_quota={"limits": LIMITS},
            radar_quota={"limits": LIMITS},
            faults=faults,
        )

    def start(self, program: Program, instance: str = "0") -> Dispatcher:
        """Start a program with its config, and wait until it is at work."""
        config = self.config if program.root == REPOSITORY else self.former_config
        running = self.world.start(config, instance, program=program.words, **program.environment)
        return running.wait_ready()

    def stop(self, running: Dispatcher, how: signal.Signals) -> None:
        """End the program while calls are in flight; no answer to them ever comes."""
        if how is signal.SIGKILL:
            running.kill()
            self.vendor.stop()
            return
        running.interrupt()
        until("it stops", lambda: bool(running.lines("stopping")))
        self.vendor.stop()  # breaks the connections
        assert running.wait() == 0

    def calls(self, channel: str, fault: str | None = None) -> list[Mapping[str, Any]]:
        """Return the present double's calls of a campaign that met this fault."""
        url = f"{self.world.vendor_url}/_sandbox/log"
        log = local_http.get(url, params={"limit": 10_000}).json()
        wanted = CAMPAIGNS[channel], fault
        return [call for call in log if (call["campaign"], call["fault"]) == wanted]

    # -- events -------------------------------------------------------------------------------

    def purchases(self, channel: str, number: int) -> list[Event]:
        """Make purchases of new customers."""
        campaign = CAMPAIGNS[channel]
        return [purchase(channel, campaign, customer) for customer in islice(self._numbers, number)]

    def get_into_trouble(self, running: Dispatcher, program: Program, delays: int = 1) -> None:
        """Publish purchases until some are in each state in which an invitation can wait.

        `delays`: how often those of parked campaigns have been delayed then, at least.
        """
        world, ended = self.world, len(self.world.results())
        resent = self.purchases("web", 1)
        doubtful = [*self.purchases("store", 1), *self.purchases("cafe", 1)]
        faults: dict[str, object] = {
            "campaigns": {NO_CAMPAIGN: [PARKED, MENDED], TRY_AGAIN: [CAMPAIGNS["app"]]},
            "customers": {"hang": [event.recipient for event in [*doubtful, *resent]]},
        }
        self.resent |= {event.id for event in resent}
        self.doubtful |= {event.id for event in doubtful}
        world.set_faults(**faults, act_before_fault=False)
        world.publish(resent)
        until("a call hangs, not carried out", lambda: bool(self.calls("web", "hang")))
        world.set_faults(**faults)
        world.publish(doubtful)
        until("a call hangs", lambda: bool(self.calls("store", "hang")))
        until("the lane's only call hangs", lambda: bool(self.calls("cafe", "hang")))

        world.publish(self.purchases("store", 20))
        world.wait_results(ended + 20)
        world.publish(self.purchases("cafe", 30))
        world.publish_raw([(b"broken", b"{", None)])
        self.broken += 1
        until("a dead letter", lambda: self.dead_letters() == self.broken)
        until("some wait", lambda: running.metrics().total(program.buffered, lane="radar") >= 30)
        parked = self.purchases("kiosk", 3)
        world.publish_raw((event.id.encode(), event.value, None) for event in parked)
        self.parked += parked
        world.publish([*self.purchases("outlet", 3), *self.purchases("app", 3)])
        until("some were tried", lambda: len(self.tried()) >= 3)
        until("parked ones are delayed", lambda: self.all_delayed(delays))

    # -- what Kafka holds ---------------------------------------------------------------------

    def tried(self) -> dict[str, int]:
        """Return the events whose invitations wait for another call now, with their attempts."""
        return self.named("pisano", self.world.checkpoint().tried)

    def named(self, lane: str, batches: Sequence[InFlight | Tried]) -> dict[str, int]:
        """Return the events of batches that a checkpoint names, with their attempts."""
        records = read_topic(self.world.bootstrap, f"{self.world.name}.invitations.{lane}")
        events = {
            record.offset(): read_invitation(record.value())["event_id"] for record in records
        }
        return {
            events[offset]: batch.attempt
            for batch in batches
            for offset in unpack(batch.offsets, batch.first)
        }

    def epoch(self, lane: str, running: Dispatcher) -> int:
        """Wait until a program takes the lane over; the offset at which its checkpoints begin."""

        def taken() -> list[int]:
            lines = running.lines("lane_taken_over")
            return [line["epoch"] for line in lines if line["lane"] == lane]

        until(f"{lane} is taken over", lambda: bool(taken()))
        return taken()[0]

    def last_before(self, lane: str, epoch: int) -> Checkpoint:
        """Return the last checkpoint of the program that had the lane before."""
        found = self.world.checkpoints(lane)
        return [checkpoint for offset, checkpoint in found if offset < epoch][-1]

    def returned(self) -> dict[str, int]:
        """Return the delay stage's offset in each delay topic; below 0: none."""
        group = {"bootstrap.servers": self.world.bootstrap, "group.id": f"{self.world.name}.ladder"}
        steps = [TopicPartition(f"{self.world.name}.delayed.{step}", 0) for step in STEPS]
        with Consumer(group) as client:
            return {step.topic: step.offset for step in client.committed(steps, timeout=ANSWER)}

    def look_at_delayed(self) -> list[Mapping[str, Any]]:
        """Read the invitations on the delay topics that have not returned."""
        self.delayed = [
            {**read_invitation(record.value()), **orjson.loads(record.value() or b"")}
            for topic, offset in self.returned().items()
            for record in read_topic(self.world.bootstrap, topic)
            if (record.offset() or 0) >= offset
        ]
        return self.delayed

    def all_delayed(self, times: int) -> bool:
        """Tell whether all of `kiosk` and `outlet` wait on delay topics, for so many times."""
        found = [delayed for delayed in self.look_at_delayed() if delayed["delays"] >= times]
        campaigns = Counter(delayed["campaign"] for delayed in found)
        return campaigns == {"kiosk": len(self.parked), "outlet": 3}

    def delayed_again(self, before: list[Mapping[str, Any]]) -> bool:
        """Tell whether all of `kiosk` have been delayed more often than they were before."""
        times = {delayed["event_id"]: delayed["delays"] for delayed in before}
        now = {delayed["event_id"]: delayed["delays"] for delayed in self.look_at_delayed()}
        return all(now.get(event.id, 0) > times.get(event.id, 0) for event in self.parked)

    def dead_letters(self) -> int:
        """Count the dead letters."""
        return len(read_topic(self.world.bootstrap, f"{self.world.name}.dead-letters"))

    def names(self) -> dict[str, set[str]]:
        """Return topics, groups and transactional ids of the application, not of its operator."""
        client = AdminClient({"bootstrap.servers": self.world.bootstrap})
        groups = client.list_consumer_groups(request_timeout=ANSWER).result(ANSWER).valid
        states = read_topic(self.world.bootstrap, "__transaction_state")
        found = {
            "topics": client.list_topics(timeout=ANSWER).topics,
            "groups": [group.group_id for group in groups],
            # A key is the format's version, the length of the id, and the id.
            "transactional ids": [
                re.sub(r"\.[01]$", "", (state.key() or b"")[4:].decode()) for state in states
            ],
        }
        prefix = f"{self.world.name}."
        return {
            kind: {
                name.removeprefix(prefix)
                for name in names
                if name.startswith(prefix) and not name.startswith(f"{prefix}operator.")
            }
            for kind, names in found.items()
        }

    def keep_later_version(self, running: Dispatcher) -> None:
        """Wait until 258f27a has delayed all that this program wrote, and see it work beside."""
        self.record_doubtful({lane: self.epoch(lane, running) for lane in LANES})
        ended = {result["event_id"] for result in self.world.results()}
        waiting = {event.id for event in [*self.world.events, *self.parked]} - ended

        kept = set[str]()

        def all_kept() -> bool:
            delayed = self.look_at_delayed()
            assert {record["version"] for record in delayed} <= {2}
            kept.update(record["event_id"] for record in delayed)
            return waiting - self.open() <= kept

        until("all of the later version was delayed", all_kept)
        assert not kept & self.doubtful
        self.world.publish(self.purchases("store", 20))
        self.world.wait_results(len(ended) + 20)
        assert self.dead_letters() == self.broken

    def open(self) -> set[str]:
        """Return the events whose calls were in flight when this program stopped."""
        return self.doubtful | self.resent

    def record_doubtful(self, epochs: Mapping[str, int]) -> Mapping[str, Checkpoint]:
        """Add the calls that the program before left in flight; return its last checkpoints."""
        left = {lane: self.last_before(lane, epoch) for lane, epoch in epochs.items()}
        for lane, checkpoint in left.items():
            self.doubtful |= self.named(lane, checkpoint.in_flight).keys() - self.resent
        return left

    def finish(self, running: Dispatcher, *, after_rollback: bool = False) -> None:
        """Wait for the results of all that can end now, and compare them with what was left."""
        epochs = {lane: self.epoch(lane, running) for lane in LANES}
        left = self.record_doubtful(epochs)
        self.world.events += [event for event in self.parked if event.id in self.doubtful]
        self.parked = [event for event in self.parked if event.id not in self.doubtful]

        self.world.wait_results(len(self.world.events))
        found = self.world.check(unknown_at_most=len(self.doubtful))
        results = {result["event_id"]: result for result in found}
        unknown = {name for name, result in results.items() if result["status"] == "unknown"}
        assert unknown == self.doubtful
        assert {result["status"] for result in results.values()} == {"accepted", "unknown"}
        assert {results[name]["attempt"] for name in self.resent} == {2}
        tried = self.named("pisano", left["pisano"].tried)
        assert all(results[name]["attempt"] > times for name, times in tried.items())
        if not after_rollback:  # 258f27a has delayed all that waited
            assert any(name.startswith("app-") for name in tried)
            assert extent(left["pisano"].done)[0] >= 20  # settled behind one that is not
        later = self.world.checkpoints()
        first = next(checkpoint for offset, checkpoint in later if offset > epochs["pisano"])
        assert set(left["pisano"].permit_log) <= set(first.permit_log)
        outlet = [delayed for delayed in self.delayed if delayed["campaign"] == "outlet"]
        due = min(delayed["due_at"] for delayed in outlet)
        assert min((call["time"] for call in self.calls("outlet")), default=due) >= due
        assert self.dead_letters() == self.broken
        assert self.world.vendor()["throttled"] == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stop", "kill"])
def test_upgrade_and_rollback_lose_and_repeat_nothing(
    story: Story, former: Program, today: Program, how: signal.Signals
) -> None:
    """258f27a, this program, 258f27a again, this program: each goes on with what the one before
    left. After a kill, and at the upgrade, nothing runs in between; at the rollback by SIGTERM both
    do. 258f27a cannot read this program's invitations: it delays them, and those in doubt stay so.

    258f27a commits no offset of a delay topic before the first invitation returns from it. If it
    was stopped before, this program cannot know that none returned, and an operator tells it.
    """
    story.start_vendor()
    running = story.start(former)
    story.get_into_trouble(running, former, delays=2 if how is signal.SIGKILL else 1)
    assert story.names() == NAMES
    story.stop(running, how)
    before, nothing_returned = story.delayed, max(story.returned().values()) < 0

    today.run("topics", "--create", "--config", story.config)
    story.start_vendor(campaigns={NO_CAMPAIGN: [PARKED]})
    running = story.start(today)
    if nothing_returned:
        until("it stands still", lambda: bool(running.lines("input_stopped")))
        topic = f"{story.world.name}.delayed.1m"
        go_on = ["inputs", "resume", topic, "--from", "earliest", "--yes"]
        today.run(*go_on, "--config", story.config)
    story.finish(running)
    until("parked ones are delayed again", lambda: story.delayed_again(before))
    assert story.names() == NEW_NAMES

    story.get_into_trouble(running, today)
    if how is signal.SIGTERM:
        successor = story.start(former, "1")
        story.stop(running, how)
        story.start_vendor()
    else:
        story.stop(running, how)
        story.start_vendor()
        successor = story.start(former)
    story.keep_later_version(successor)
    assert successor.terminate() == 0

    successor = story.start(today)
    story.world.events += story.parked
    story.parked.clear()
    story.finish(successor, after_rollback=True)
    assert story.names() == NEW_NAMES
    assert successor.terminate() == 0
    assert story.world.group_members() == 0


def test_former_config_and_topics_are_refused_with_what_to_do(story: Story, today: Program) -> None:
    """Nothing starts half upgraded: keys have other names, checkpoints need more room."""
    keys = today.run("run", "--config", story.former_config, status=2)
    assert "quotas.pisano.max_held: is not known here (did you mean 'max_buffered'?)" in keys
    limits = today.run("run", "--config", story.config, status=3)
    assert "checkpoints.pisano has max.message.bytes=1048588; at least 8388608" in limits
    assert "`survey-dispatcher topics --create`" in limits


REPEAT = """
import sys
from consumer.lane.bits import pack, unpack
from consumer.model import Checkpoint, InFlight, Tried

read = Checkpoint.model_validate_json(sys.stdin.read())
again = lambda packed, first: pack(unpack(packed, first), first)
parts = {
    part: [batch.model_copy(update={"offsets": again(batch.offsets, batch.first)})
        for batch in getattr(read, part)]
    for part in ("in_flight", "tried")
}
print(read.model_copy(update={"done": again(read.done, read.base), **parts}).model_dump_json())
"""
"""258f27a reads a checkpoint and writes it again."""


def test_a_large_checkpoint_means_the_same_to_both(former: Program) -> None:
    """600,000 of a million offsets, settled, tried and in flight in no order: what this program
    packs the former one reads, and the other way round."""
    rng, base = random.Random(258), 10**9
    offsets = rng.sample(range(base, base + 1_000_000), 600_000)
    checkpoint = Checkpoint(
        lane="pisano",
        topic_id=None,
        base=base,
        done=pack(offsets[:400_000], base),
        in_flight=[
            InFlight(
                batch_id=f"pisano.0.{batch}",
                campaign="purchase-sms",
                attempt=1,
                sealed_at=1.0,
                first=base,
                offsets=pack(offsets[400_000 + batch * 5_000 :][:5_000], base),
            )
            for batch in range(20)
        ],
        tried=tuple(
            Tried(attempt=attempt, first=base, offsets=pack(offsets[500_000 + attempt :: 5], base))
            for attempt in range(1, 5)
        ),
        permit_log=[],
        config_version="v",
    )
    written = former.python(REPEAT, checkpoint.model_dump_json())
    read = Checkpoint.model_validate_json(written)
    assert [list(unpack(packed, base)) for packed in bitmaps(read)] == [
        list(unpack(packed, base)) for packed in bitmaps(checkpoint)
    ]
    assert len(list(unpack(read.done, base))) == 400_000


def bitmaps(checkpoint: Checkpoint) -> list[str]:
    """Return all bitmaps of a checkpoint."""
    batches: list[InFlight | Tried] = [*checkpoint.in_flight, *checkpoint.tried]
    return [checkpoint.done, *(batch.offsets for batch in batches)]
