"""What upstream writes: bursts of events, some of them twice, late, unknown or unreadable.

Everything is drawn before the world begins; `Expected` grows as the records take their offsets
and knows what must come of each.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from functools import cache

import orjson

from consumer.records.fields import rfc3339
from tests.simulation.kafka.log import FakeRecord
from tests.simulation.world.rules import CHANNELS, INPUTS, ROUTES

Place = tuple[str, int, int]
"""Topic, partition, offset."""

CUSTOMERS = 60
DISLIKED = 21
"""One event in so many holds what a firewall refuses."""

JUNK = (
    b"",
    b"not json",
    b"[]",
    b'{"channel": "?", "time": "2026-01-01T00:00:00Z"}',
    b'{"channel": "?", "id": 1}',
    b"\xff",
)
"""What nothing can read, though a route matches: `?` is one of the input's channels."""


@dataclass(frozen=True, slots=True)
class Event:
    """One record of an input; `channel` is None where it cannot be read, `-` if none matches."""

    topic: str
    partition: int
    value: bytes
    channel: str | None
    customer: int = -1
    disliked: bool = False
    """Whether a vendor's firewall refuses calls with what the event holds, where there is one."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Events that are written at one moment (true time)."""

    at: float
    events: list[Event]


@dataclass(slots=True)
class Expected:
    """What must come of all that was written so far."""

    invitations: dict[str, str] = field(default_factory=dict)
    """Invitation id → campaign."""
    letters: set[Place] = field(default_factory=set)
    unsure: frozenset[str] = frozenset()
    """Campaigns that some config of this world does not have: their invitations may be made."""
    perhaps: dict[str, str] = field(default_factory=dict)
    """Invitations of these campaigns that were not seen yet."""

    refused: set[str] = field(default_factory=set)
    """Invitations whose calls a vendor's firewall refuses: they may wait for ever."""
    behind_refused: set[tuple[str, int]] = field(default_factory=set)
    """Campaign and customer of these: another invitation of that customer waits behind one."""
    customers: dict[str, tuple[str, int]] = field(default_factory=dict)
    firewall: bool = False
    sick: str | None = None
    """A campaign whose calls the vendor fails: its invitations may wait for ever."""
    lost: tuple[str, int] | None = None
    """The partition that lost records: it stands still, and what it holds may lack."""
    resumed: bool = False
    """An operator has that partition go on behind what it lost."""
    behind: set[str] = field(default_factory=set)
    """Invitations of its events that were written after it had lost records."""
    places: dict[str, tuple[str, int]] = field(default_factory=dict)

    def event(self, event: Event, offset: int) -> None:
        """An event took its offset."""
        if event.channel is None:
            self.letters.add((event.topic, event.partition, offset))
            return
        for route, campaign in ROUTES.get(event.channel, ()):
            wanted = self.perhaps if campaign in self.unsure else self.invitations
            name = _id(event, offset, route)
            wanted[name] = campaign
            self.places[name] = event.topic, event.partition
            self.customers[name] = campaign, event.customer
            if self.places[name] == self.lost:
                self.behind.add(name)
            if (self.firewall and event.disliked) or campaign == self.sick:
                self.refused.add(name)
                self.behind_refused.add(self.customers[name])

    @property
    def may_lack(self) -> set[str]:
        """Invitations that need not come to a result."""
        lost = {name for name, place in self.places.items() if place == self.lost}
        waits = {name for name, of in self.customers.items() if of in self.behind_refused}
        return (lost - self.behind if self.resumed else lost) | waits

    def seen(self, invitation: str) -> None:
        """It was made, so that a result must come of it."""
        campaign = self.perhaps.pop(invitation, None)
        if campaign is not None:
            self.invitations[invitation] = campaign


def bursts(rng: random.Random, start: float, length: float) -> list[Burst]:
    """All traffic of a world: from `start` on, over `length` seconds, in order."""
    customers = rng.randint(8, CUSTOMERS)
    left = rng.randint(130, 290)
    made: list[Burst] = []
    number = 0
    while left > 0:
        size = min(left, rng.choice([1, 2, 5, 20, 60]))
        left -= size
        at = start + rng.uniform(0.0, length)
        events: list[Event] = []
        for _ in range(size):
            number += 1
            event = _event(rng, number, at, customers)
            events.append(event)
            if rng.random() < 0.02:  # upstream's own retry: another record, another invitation
                events.append(event)
        made.append(Burst(at, events))
    return sorted(made, key=lambda burst: burst.at)


def _event(rng: random.Random, number: int, at: float, customers: int) -> Event:
    topic = "crm" if rng.random() < 0.15 else "pos"
    partition = rng.randrange(INPUTS[topic])
    if rng.random() < 0.03:
        junk = rng.choice(JUNK).replace(b"?", CHANNELS[topic][0].encode())
        return Event(topic, partition, junk, None)
    channel = "-" if rng.random() < 0.02 else rng.choice(CHANNELS[topic])
    happened = at - rng.uniform(0.0, 30.0 if channel == "flash" else 3.0)
    customer = rng.randrange(customers)
    phone = None if rng.random() < 0.01 else _phone(customer)
    email = {"email": f"c{customer}@example.com"} if customer % 2 else {}
    body = {
        "id": f"e{number}",
        "time": rfc3339(happened),
        "channel": channel,
        "customer": {"phone": phone, **email},
    }
    return Event(topic, partition, orjson.dumps(body), channel, customer, number % DISLIKED == 0)


@cache
def _phone(customer: int) -> str:
    return f"+90532{1_000_000 + customer}"


def _id(event: Event, offset: int, route: str) -> str:
    """The invitation's id as docs/architecture.md defines it, computed without the router."""
    name = f"{event.topic}|{event.partition}|{offset}|{route}|0"
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def source_of(record: FakeRecord) -> Place:
    """Return where a dead letter's record stood."""
    headers = dict(record.headers or ())
    return (
        (headers["dead_letter.topic"] or b"").decode(),
        int(headers["dead_letter.partition"] or 0),
        int(headers["dead_letter.offset"] or 0),
    )
