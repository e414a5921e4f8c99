"""`dlq`: list dead letters, and replay them once each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from confluent_kafka import Consumer, Message, Producer

from consumer.errors import OperationError
from consumer.kafka import transactions
from consumer.kafka.queries import Offsets, end_offsets, low_offsets
from consumer.kafka.records.messages import Header, content_of, key_of, position_of, value_of
from consumer.kafka.records.replayed import place_headers
from consumer.operations.access import Access
from consumer.operations.dead_letters.letters import (
    MARK,
    DeadLetterList,
    DeadLetterRecord,
    Filter,
    Homes,
    LetterPlace,
    Stay,
    letter_of,
)

NAME = "dlq"
AT_ONCE = 1000
BYTES_AT_ONCE = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """Letters to replay, with their target topics; letters that stay, and why."""

    letters: Mapping[LetterPlace, DeadLetterRecord]
    going: Mapping[LetterPlace, str]
    staying: Mapping[LetterPlace, Stay]
    foreign: int = 0


@dataclass(slots=True)
class _Chunk:
    """Records of one replay transaction: topic, record, headers."""

    records: list[tuple[str, Message, list[Header]]] = field(default_factory=list)
    size: int = 0

    @property
    def full(self) -> bool:
        return len(self.records) >= AT_ONCE or self.size >= BYTES_AT_ONCE


def look(access: Access, wanted: Filter) -> DeadLetterList:
    """Return all letters that the filter selects, without their values. Raises KafkaSessionError.

    Raises OperationError for a topic that neither the config nor a letter has.
    """
    box = DeadLetterList(wanted)
    with access.reader() as reader:
        for record in access.everything(reader, [access.topics.dead_letters]):
            content = content_of(record)
            written_at = content.timestamp / 1000
            box.record(_place(record), content.headers, written_at, content.size)
    _refuse_unknown(access, box)
    return box


def _refuse_unknown(access: Access, box: DeadLetterList) -> None:
    lanes = map(access.topics.invitations, access.config.lanes)
    known = {*access.config.input_topics, *lanes, *box.topics}
    for name in sorted(set(box.wanted.topics) - known):
        meant = get_close_matches(name, sorted(known), n=1)
        hint = f" (did you mean '{meant[0]}'?)" if meant else ""
        raise OperationError(
            f"the config reads no topic '{name}', and no dead letter is of it{hint}"
        )


def plan(access: Access, wanted: Filter) -> Plan:
    """Return what would be replayed. Raises KafkaSessionError."""
    box = look(access, wanted)
    config = access.config
    going, staying = box.sort(Homes(access.topics, config.input_topics, config.lanes))
    return Plan(box.letters, going, staying, box.foreign)


def show(access: Access, place: LetterPlace) -> tuple[DeadLetterRecord, Message]:
    """Return one letter with its record. Raises OperationError if there is none."""
    topic = access.topics.dead_letters
    (lows, ends) = low_offsets(access.admin, [topic]), end_offsets(access.admin, [topic])
    here = topic, place.partition
    if here in ends and lows[here] <= place.offset < ends[here]:
        with access.reader() as reader:
            until = {here: place.offset + 1}
            for record in access.read(reader, until, {here: place.offset}):
                letter = letter_of(_place(record), content_of(record).headers)
                if letter is not None:
                    return letter, record
    raise OperationError(f"{topic} has no dead letter at {place}; `dlq list` shows them")


def replay_letters(
    access: Access, wanted: Filter, tell: Callable[[Plan], None], confirm: Callable[[Plan], bool]
) -> int:
    """Replay letters and return how many; `confirm` is only asked if there are any.

    Raises KafkaSessionError.

    Every other run of this command is fenced first: its open transaction has ended, and its marks
    are read. A letter and its mark are written in one transaction.
    """
    producer = access.fenced(NAME)
    todo = plan(access, wanted)
    tell(todo)
    if not todo.going or not confirm(todo):
        return 0
    with access.reader() as reader:
        for chunk in _chunks(access, reader, todo):
            _write(access, producer, chunk)
    return len(todo.going)


def _chunks(access: Access, reader: Consumer, todo: Plan) -> Iterator[_Chunk]:
    chunk = _Chunk()
    begin, ends = _range(access.topics.dead_letters, todo)
    for record in access.read(reader, ends, begin):
        place = _place(record)
        if place not in todo.going:
            continue
        topic, letter = todo.going[place], todo.letters[place]
        chunk.records.append((topic, record, _headers(letter, topic)))
        chunk.size += letter.size
        if chunk.full:
            yield chunk
            chunk = _Chunk()
    if chunk.records:
        yield chunk


def _range(topic: str, todo: Plan) -> tuple[Offsets, Offsets]:
    """Return the first offset and the end of the letters, in each partition."""
    begin: dict[tuple[str, int], int] = {}
    ends: dict[tuple[str, int], int] = {}
    for partition, offset in todo.going:
        here = topic, partition
        begin[here] = min(offset, begin.get(here, offset))
        ends[here] = max(offset + 1, ends.get(here, 0))
    return begin, ends


def _headers(letter: DeadLetterRecord, topic: str) -> list[Header]:
    """Return the original headers; the router also needs the original place, a lane does not."""
    if topic == letter.topic:
        return list(letter.headers)
    place = place_headers(letter.topic, letter.partition, letter.offset, letter.timestamp)
    return [*letter.headers, *place]


def _write(access: Access, producer: Producer, chunk: _Chunk) -> None:
    with access.transaction(producer, "giving dead letters back"):
        for topic, record, headers in chunk.records:
            partition = -1 if topic == access.topics.replayed else 0
            transactions.produce(
                producer,
                topic,
                value_of(record),
                key=key_of(record),
                partition=partition,
                headers=[*headers],
            )
            place = _place(record)
            mark: list[tuple[str, str | bytes | None]] = [(MARK, str(place).encode())]
            transactions.produce(
                producer,
                access.topics.dead_letters,
                None,
                partition=place.partition,
                headers=mark,
            )


def _place(record: Message) -> LetterPlace:
    return LetterPlace(*position_of(record)[1:])
