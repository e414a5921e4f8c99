"""Recovery: a store's new generation grants nothing until it knows again what was sent.

    waiting   until every lane has reported what it has in flight, and `grace` has passed: until
              then a seal of before may still lead to a call
    reading   the view reads results and contacts to the ends that it asks for from now on
    ready     the store grants reservations

A lane reports at its takeover and whenever the generation changes (`ContactBook.take_over`). The
view begins at the offsets that stand in the store, so a store that lost nothing is ready soon. The
state is kept for each fingerprint of rules: rules that count by other keys begin at the beginning.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec
from msgspec import Struct

from consumer.contacts.store import ContactStore
from consumer.policy.contacts.history import encode_record

Phase = Literal["waiting", "reading", "ready"]


class ReadyRecord(Struct, array_like=True, frozen=True):
    """What a store says of a generation, since when it is there, and whether it is ready."""

    generation: str
    since: float
    ready: bool


class OwnerRecord(Struct, array_like=True, frozen=True):
    """A lane's owner, and the generation to which it has reported its calls in flight."""

    epoch: int
    generation: str


decode_ready = msgspec.msgpack.Decoder(ReadyRecord).decode
decode_owner = msgspec.msgpack.Decoder(OwnerRecord).decode


def ready_key(fingerprint: str) -> str:
    """Return the key of the state for rules of a fingerprint."""
    return "ready:" + fingerprint


def owner_key(lane: str) -> str:
    """Return the key of a lane's owner."""
    return "l:" + lane


@dataclass(frozen=True, slots=True)
class Recovery:
    """How far a store is. `missing`: lanes that have not reported; `seconds`: left of `grace`."""

    phase: Phase
    generation: str
    missing: frozenset[str] = frozenset()
    seconds: float = 0.0


def look(store: ContactStore, fingerprint: str, lanes: Collection[str]) -> Recovery:
    """Return how far a store is, and write down a generation that is met for the first time."""
    key = ready_key(fingerprint)
    reading = store.read([key, *map(owner_key, lanes)])
    generation, now, found = reading.generation, reading.now, reading.found
    record = decode_ready(found[key].value) if key in found else None
    if record is None or record.generation != generation:
        record = ReadyRecord(generation, now, ready=False)
        version = found[key].version if key in found else 0
        # Another process that was faster wrote the same.
        store.write(generation, {key: version}, {key: encode_record(record)})
    if record.ready:
        return Recovery("ready", generation)
    owners = {lane: found.get(owner_key(lane)) for lane in lanes}
    missing = frozenset(
        lane
        for lane, stored in owners.items()
        if stored is None or decode_owner(stored.value).generation != generation
    )
    left = max(0.0, record.since + store.grace - now)
    return Recovery("waiting" if missing or left else "reading", generation, missing, left)


def finish(
    store: ContactStore, fingerprint: str, lanes: Collection[str], offsets: Mapping[str, int]
) -> bool:
    """Let a generation grant, after the view has read to its ends. False: it is another one now.

    `offsets`: keys of the view's offsets and what they must have reached at least.
    """
    if look(store, fingerprint, lanes).phase == "waiting":
        return False
    key = ready_key(fingerprint)
    reading = store.read([key, *offsets])
    found = reading.found
    reached = all(
        name in found and decode_offset(found[name].value) >= offset
        for name, offset in offsets.items()
        if offset > 0
    )
    record = decode_ready(found[key].value) if key in found else None
    if not reached or record is None or record.generation != reading.generation:
        return False
    ready = encode_record(ReadyRecord(reading.generation, record.since, ready=True))
    return store.write(reading.generation, {key: found[key].version}, {key: ready})


decode_offset = msgspec.msgpack.Decoder(int).decode
