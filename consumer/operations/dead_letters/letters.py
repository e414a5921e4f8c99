"""Dead letters as read from their topic: which may be replayed, and to which topic. Pure.

A letter is replayed once: the transaction that replays it also writes a *mark* to the dead-letter
topic, a record without a value whose header names the letter. The program's headers come last in a
letter, so an event's headers of the same names never count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from consumer.config.topic_names import Topics
from consumer.kafka.client_settings import MESSAGE_MAX_BYTES
from consumer.kafka.records.fitting import LOST, PARTS
from consumer.kafka.records.messages import Header
from consumer.kafka.records.replayed import number
from consumer.records.dead_letter import DeadLetterReason

MARK = "dead_letter.replayed"
_REASONS: Mapping[str, DeadLetterReason] = {reason.value: reason for reason in DeadLetterReason}
_UNREADABLE = "dead_letter.unreadable"
_BEHIND = frozenset({_UNREADABLE, *LOST})
_VERSION = "dead_letter.version"
_OURS = ("reason", "message", "topic", "partition", "offset", "timestamp", "at", "config_version")


LARGEST_LETTER = MESSAGE_MAX_BYTES - 1024
"""Bytes of a letter that can be written again, with the headers of its place."""


class LetterPlace(NamedTuple):
    """A letter's partition and offset on the dead-letter topic; `0/42` to an operator."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}/{self.offset}"


def place_of(text: str) -> LetterPlace | None:
    """Invert `str`; None for anything else."""
    partition, _, offset = (number(digits.encode()) or 0 for digits in text.partition("/"))
    place = LetterPlace(partition, offset)
    return place if str(place) == text and min(place) >= 0 else None


@dataclass(frozen=True, slots=True)
class DeadLetterRecord:
    """A dead letter without its value. `timestamp` (ms) and the topic partition are the original
    record's.

    `headers`: the original ones. `lost`: parts that were too large to be kept, with their sizes;
    `unreadable`: parts of the original that the Kafka client could not read.
    """

    place: LetterPlace
    reason: DeadLetterReason
    message: str
    topic: str
    partition: int
    offset: int
    timestamp: int
    at: str
    config_version: str
    headers: Sequence[Header]
    lost: Mapping[str, int] = field(default_factory=dict)
    unreadable: str = ""
    size: int = 0


def letter_of(place: LetterPlace, headers: Sequence[Header]) -> DeadLetterRecord | None:
    """Parse a record of the dead-letter topic; None if the program did not write it."""
    rest, behind = _apart(headers)
    own, ours = rest[: -len(_OURS)], rest[-len(_OURS) :]
    if own and own[-1][0] == _VERSION:  # the first version of letters had none
        own = own[:-1]
    if tuple(name for name, _ in ours) != tuple(f"dead_letter.{name}" for name in _OURS):
        return None
    texts = [(value or b"").decode(errors="replace") for _, value in ours]
    reason, message, topic, *numbers, at, version = texts
    partition, offset, timestamp = (number(text.encode()) for text in numbers)
    if reason not in _REASONS or partition is None or offset is None or timestamp is None:
        return None
    sizes = ((part, number(behind.get(f"dead_letter.{part}_bytes") or b"")) for part in PARTS)
    lost = {part: size for part, size in sizes if size is not None}
    return DeadLetterRecord(
        place,
        _REASONS[reason],
        message,
        topic,
        partition,
        offset,
        timestamp,
        at,
        version,
        own,
        lost,
        (behind.get(_UNREADABLE) or b"").decode(errors="replace"),
    )


def _apart(headers: Sequence[Header]) -> tuple[Sequence[Header], Mapping[str, bytes | None]]:
    """Split the headers after the last one that every letter has."""
    end = len(headers)
    while end and headers[end - 1][0] in _BEHIND:
        end -= 1
    return headers[:end], dict(headers[end:])


def replayed_place(headers: Sequence[Header]) -> LetterPlace | None:
    """Return the letter that a mark names; None if the record is no mark."""
    if len(headers) != 1 or headers[0][0] != MARK:
        return None
    return place_of((headers[0][1] or b"").decode(errors="replace"))


class Stay(StrEnum):
    """Why a letter is not replayed."""

    REPLAYED = "it was replayed before"
    NO_VALUE = "it was too large to be kept: read it at its original place, while it is there"
    NO_INPUT = "its topic is no input of the config, and no lane's topic"
    TOO_LARGE = "it is larger than the program may write: another program wrote it"
    UNKNOWN = "there is no such dead letter"


@dataclass(frozen=True, slots=True)
class Filter:
    """Selects letters; an empty set selects all. `since`: epoch seconds."""

    reasons: Collection[str] = ()
    topics: Collection[str] = ()
    places: Collection[LetterPlace] = ()
    since: float | None = None

    def takes(self, letter: DeadLetterRecord, written_at: float) -> bool:
        """Return whether this letter is selected; `written_at` is when it became a dead letter."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.topics or letter.topic in self.topics)
            and (not self.places or letter.place in self.places)
            and (self.since is None or written_at >= self.since)
        )


@dataclass(slots=True)
class DeadLetterList:
    """The letters that a filter selects, the letters replayed already, and the topics of all
    letters.

    `foreign`: records on the topic that are neither letters nor marks.
    """

    wanted: Filter
    letters: dict[LetterPlace, DeadLetterRecord] = field(default_factory=dict)
    replayed: set[LetterPlace] = field(default_factory=set)
    topics: set[str] = field(default_factory=set)
    foreign: int = 0

    def record(
        self, place: LetterPlace, headers: Sequence[Header], written_at: float, size: int = 0
    ) -> None:
        """Add a record of the dead-letter topic: a letter, a mark, or something else."""
        marked = replayed_place(headers)
        if marked is not None:
            self.replayed.add(marked)
            return
        letter = letter_of(place, headers)
        if letter is None:
            self.foreign += 1
            return
        self.topics.add(letter.topic)
        if self.wanted.takes(letter, written_at):
            self.letters[place] = replace(letter, size=size)

    def sort(self, homes: Homes) -> tuple[dict[LetterPlace, str], dict[LetterPlace, Stay]]:
        """Return letter → the topic that it goes to, and letter → why it stays."""
        going: dict[LetterPlace, str] = {}
        unknown = (place for place in self.wanted.places if place not in self.letters)
        staying = dict.fromkeys(unknown, Stay.UNKNOWN)
        for place, letter in self.letters.items():
            found = Stay.REPLAYED if place in self.replayed else homes.of(letter)
            if isinstance(found, Stay):
                staying[place] = found
            else:
                going[place] = found
        return going, staying


@dataclass(frozen=True, slots=True)
class Homes:
    """Target topics of replayed letters, by the present config."""

    topics: Topics
    inputs: Collection[str]
    lanes: Collection[str]

    def of(self, letter: DeadLetterRecord) -> str | Stay:
        """Return where to replay a letter to; headers name the original topic."""
        if "value" in letter.lost:
            return Stay.NO_VALUE
        if letter.size > LARGEST_LETTER:
            return Stay.TOO_LARGE
        if letter.topic in self.inputs or letter.topic == self.topics.uploads:
            return self.topics.replayed
        if letter.topic in map(self.topics.invitations, self.lanes):
            return letter.topic
        return Stay.NO_INPUT


ADVICE: Mapping[DeadLetterReason, str] = {
    DeadLetterReason.EMPTY: "Nothing to replay: the topic's writer should write no tombstones.",
    DeadLetterReason.TOO_LARGE: "Raise `max_event_bytes` of the input, then replay.",
    DeadLetterReason.NOT_JSON: "Its writer must fix the events; a replay fails again.",
    DeadLetterReason.NOT_OBJECT: "Its writer must fix the events; a replay fails again.",
    DeadLetterReason.NOT_CLOUDEVENT: "Correct `format` of the input, then replay; else its writer "
    "must send CloudEvents.",
    DeadLetterReason.NO_SCHEMA_ID: "Correct `format` of the input (for plain JSON: `json`), "
    "then replay.",
    DeadLetterReason.UNKNOWN_SCHEMA: "Register the schema, or correct `registry`, then replay.",
    DeadLetterReason.NOT_ITS_SCHEMA: "Its writer must fix the events; a replay fails again.",
    DeadLetterReason.NO_BODY: "Correct `body` of the input, or let `skip` match what is no "
    "transaction, then replay.",
    DeadLetterReason.NO_ID: "Correct `event.id` of the input, then replay.",
    DeadLetterReason.BAD_ID: "Correct `event.id` of the input, then replay.",
    DeadLetterReason.NO_TIME: "Correct `event.time` of the input, then replay.",
    DeadLetterReason.BAD_TIME: "Correct `event.time` of the input, then replay.",
    DeadLetterReason.TOO_MANY_ITEMS: "Let the writer send smaller events, or narrow `for_each` of "
    "the route, then replay.",
    DeadLetterReason.BAD_INVITATION: "Written by a newer version: bring all processes to it, then "
    "replay. Else find what writes to the lane's topic.",
    DeadLetterReason.NO_INPUT: "Put its topic back under `inputs`, then replay.",
    DeadLetterReason.BAD_UPLOAD: "Written by a newer version: bring all processes to it, then "
    "replay. Else find what writes to the uploads topic.",
    DeadLetterReason.NO_ROUTE: "Put the route back into the config, then replay.",
    DeadLetterReason.NO_PERSON: "Correct `person` or `address` of the feed, then let its writer "
    "send the record again; `suppress add` obeys an opt-out now.",
    DeadLetterReason.BAD_SCOPE: "Correct `scope` of the feed, then let its writer send the record "
    "again; `suppress add` obeys it now.",
    DeadLetterReason.INTERNAL: "Report it; replay with a version that fixes it.",
}
"""Reason → what an operator does about it."""
