"""A world's topics and transactions, read for the checker."""

from __future__ import annotations

import base64
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson

from consumer.lane.state.delay_steps import STEPS
from consumer.records.invitation import Invitation, flat_invitation
from tests.simulation.kafka.log import FakeRecord, Transaction
from tests.simulation.world import rules
from tests.simulation.world.traffic import Place, source_of
from tests.simulation.world.world import Ended, FleetWorld

Json = dict[str, Any]

ROUTER, LANE = f"{rules.APPLICATION}.router.", f"{rules.APPLICATION}.lane."
"""How the transactional ids of routers and lanes begin."""


def invitation_of(record: FakeRecord) -> Invitation:
    """The flat view of a record that the program wrote."""
    return flat_invitation(orjson.loads(record.value or b""))


@dataclass(slots=True)
class LaneLog:
    """A lane's topic: what committed readers get."""

    name: str
    topic: str
    routed: Counter[str] = field(default_factory=Counter)
    """Invitation → how often the router wrote it."""
    offsets_of: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Invitation → where it stands: a delayed one comes back with another offset."""
    readable: int = 0
    """Bitmap of the offsets that hold a record."""


@dataclass(slots=True)
class Written:
    """What one committed transaction made visible."""

    ended: Ended
    results: list[Json] = field(default_factory=list)
    letters: list[Place] = field(default_factory=list)
    checkpoints: list[Json] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """Invitations that left their lane: they have a result, or wait on the delay topics."""


class History:
    """Everything committed, in the order of the commits."""

    def __init__(self, world: FleetWorld) -> None:
        self._world = world
        self._topics = rules.config().topics
        self.lanes = [self._lane(name) for name in rules.ALL_LANES]
        self.written = self._written()
        self.results = [result for one in self.written for result in one.results]
        self.letters = [letter for one in self.written for letter in one.letters]

    def _lane(self, name: str) -> LaneLog:
        log = LaneLog(name, self._topics.invitations(name))
        for record in self._world.broker.history(log.topic):
            if record.state == "committed":
                log.readable |= 1 << record.offset
                if record.transaction is None:  # no part of the program wrote it
                    continue
                invitation = invitation_of(record)["id"]
                log.offsets_of[invitation].append(record.offset)
                log.routed[invitation] += (record.producer or "").startswith(ROUTER)
        return log

    def _written(self) -> list[Written]:
        results = self._by_transaction(self._topics.results)
        letters = self._by_transaction(self._topics.dead_letters)
        points = {
            lane: self._by_transaction(self._topics.checkpoints(lane)) for lane in rules.ALL_LANES
        }
        steps = [self._by_transaction(self._topics.delayed(step)) for step in STEPS]
        made = []
        for ended in self._world.ended:
            one = Written(ended)
            one.results = [orjson.loads(each.value) for each in results[ended.transaction]]
            one.letters = [source_of(each) for each in letters[ended.transaction]]
            one.checkpoints = [
                orjson.loads(each.value)
                for lane, found in points.items()
                for each in found[ended.transaction]
                if each.key == lane.encode()
            ]
            one.left = [result["id"] for result in one.results]
            if (ended.transaction.producer or "").startswith(LANE):
                one.left += [
                    invitation_of(each)["id"]
                    for found in steps
                    for each in found[ended.transaction]
                ]
            made.append(one)
        return made

    def _by_transaction(self, topic: str) -> defaultdict[Transaction | None, list[Any]]:
        found: defaultdict[Transaction | None, list[FakeRecord]] = defaultdict(list)
        for partition in self._world.broker.partitions(topic):
            for record in partition.history:
                found[record.transaction].append(record)
        return found

    @cached_property
    def intents(self) -> dict[str, tuple[int, Json]]:
        """Batch → the number of calls asked for when its intent was first committed, and it."""
        first: dict[str, tuple[int, Json]] = {}
        for one in self.written:
            for point in one.checkpoints:
                for intent in point["in_flight"]:
                    first.setdefault(intent["batch_id"], (one.ended.calls, intent))
        return first


def bitmap(packed: str, first: int) -> int:
    """A checkpoint's bitmap of offsets: bit i of the number is offset i."""
    return int.from_bytes(zlib.decompress(base64.b64decode(packed)), "little") << first


def settled(point: Json) -> int:
    """The offsets that a checkpoint says are settled; all below `base` are."""
    base = int(point["base"])
    return bitmap(point["done"], base) | ((1 << base) - 1)
