"""Records that no part of the program wrote, on topics that are the program's own.

Each must become one dead letter, whatever it holds, and nothing else may come of it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import orjson

from consumer.config.topic_names import Topics
from tests.simulation.kafka.broker import FakeBroker
from tests.simulation.world.traffic import Place

JUNK = (
    b"",
    b"not json",
    b"[]",
    b"null",
    b"{}",
    b"\xff\xfe",
    b'{"id": 7}',
    b'{"version": 1, "id": "x"}',
    b"[" * 500,
)

_INVITATION = {
    "version": 1,
    "id": "f" * 32,
    "event_id": "foreign",
    "event_time": "2023-11-14T22:13:20Z",
    "routed_at": "2023-11-14T22:13:20Z",
    "expires_at": None,
    "route": "store",
    "campaign": "a",
    "pseudonym": "k1:0",
    "address": {"phone": "+905321111111"},
    "data": {},
    "config_version": "x",
    "source": {"topic": "pos", "partition": 0, "offset": 0},
}
_NUMBERS = {
    "attempt": ("1" + "0" * 30, "1e999", "NaN", "-1"),
    "delays": ("1" + "0" * 30, "-5"),
    "due_at": ("1e999", "NaN", "-1e308"),
    "expires_at": ("1e999", "NaN"),
}


def _poison() -> Iterator[bytes]:
    """Invitations in all but one number, which no arithmetic of the lane's can bear."""
    for name, numbers in _NUMBERS.items():
        text = orjson.dumps({**_INVITATION, name: "HERE"})
        for number in numbers:
            yield text.replace(b'"HERE"', number.encode())


POISON = tuple(_poison())
POISONED = True
"""Whether numbers without bounds are among the foreign records."""


def write(
    broker: FakeBroker, topics: Topics, lanes: tuple[str, ...], rng: random.Random
) -> list[Place]:
    """One to three records somewhere; the dead letters that must come of them."""
    places = []
    for _ in range(rng.randint(1, 3)):
        invitations = [topics.invitations(lane) for lane in lanes]
        topic = rng.choice([*invitations, *invitations, topics.delayed("1m"), topics.replayed])
        values = JUNK + (POISON if POISONED and topic in invitations else ())
        value = rng.choice([*values, None])
        headers = rng.choice([(), (("lane", b"\xff"),), (("due_at", b"NaN"), ("arrived", b"1"))])
        key = rng.choice([None, b"\xff", b"key"])
        places.append((topic, 0, broker.append(topic, 0, value, key, headers)))
    return places
