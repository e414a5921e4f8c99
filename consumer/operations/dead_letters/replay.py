"""`dlq`: list dead letters, and replay them once each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, Message, Producer

from consumer.config.checks.messages import nearest
from consumer.errors import OperationError
from consumer.kafka import transactions
from consumer.kafka.log_scan import LogScan
from consumer.kafka.queries import Offsets, end_offsets, low_offsets
from consumer.kafka.records.messages import Header, content_of, key_of, position_of, value_of
from consumer.kafka.records.replayed import place_headers
from consumer.kafka.transaction_size import TransactionSize
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
"""Letters of a transaction while Kafka is quick."""

BYTES_AT_ONCE = 32 * 1024 * 1024

_Going = tuple[str, Message, list[Header]]
"""Target topic, record and headers of a letter that is replayed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Letters to replay, with their target topics; letters that stay, and why."""

    letters: Mapping[LetterPlace, DeadLetterRecord]
    going: Mapping[LetterPlace, str]
    staying: Mapping[LetterPlace, Stay]
    foreign: int = 0


def read_letters(access: Access, wanted: Filter) -> DeadLetterList:
    """Return all letters that the filter selects, without their values. Raises OperationError for a
    topic that neither the config nor a letter has."""
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
    known = {*access.config.input_topics, access.topics.uploads, *lanes, *box.topics}
    for name in sorted(set(box.wanted.topics) - known):
        hint = nearest(name, sorted(known))
        raise OperationError(
            f"the config reads no topic '{name}', and no dead letter is of it"
            + (f" ({hint})" if hint else "")
        )


def plan(access: Access, wanted: Filter) -> Plan:
    """Return what would be replayed."""
    box = read_letters(access, wanted)
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
            for record in LogScan(reader, until, {here: place.offset}):
                letter = letter_of(_place(record), content_of(record).headers)
                if letter is not None:
                    return letter, record
    raise OperationError(f"{topic} has no dead letter at {place}; `dlq list` shows them")


def replay_letters(access: Access, wanted: Filter, confirm: Callable[[Plan], bool]) -> int:
    """Replay the letters that `confirm` agrees to, and return how many. A letter and its mark are
    written in one transaction."""
    size = TransactionSize(AT_ONCE)

    def plan_rest(_producer: Producer, confirmed: Plan | None) -> Plan:
        return plan(access, wanted if confirmed is None else Filter(places=confirmed.going.keys()))

    def write(producer: Producer, todo: Plan) -> None:
        with access.reader() as reader:
            for letters in _batches(access, reader, todo, size):
                _write(access, producer, letters, size)

    done = access.write_confirmed(NAME, size, plan_rest, confirm, write)
    return len(done.going) if done is not None else 0


def _batches(
    access: Access, reader: Consumer, todo: Plan, size: TransactionSize
) -> Iterator[list[_Going]]:
    """Yield the letters of each transaction."""
    letters: list[_Going] = []
    room = BYTES_AT_ONCE
    begin, ends = _range(access.topics.dead_letters, todo)
    for record in LogScan(reader, ends, begin):
        place = _place(record)
        if place not in todo.going:
            continue
        topic, letter = todo.going[place], todo.letters[place]
        letters.append((topic, record, _headers(letter, topic)))
        room -= letter.size
        if len(letters) >= size.records or room <= 0:
            yield letters
            letters, room = [], BYTES_AT_ONCE
    if letters:
        yield letters


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


def _write(
    access: Access, producer: Producer, letters: Sequence[_Going], size: TransactionSize
) -> None:
    """Write letters to their topics and a mark of each, in one transaction."""
    with access.transaction(producer, "replaying dead letters", size, len(letters)):
        for topic, record, headers in letters:
            transactions.produce(
                producer,
                topic,
                value_of(record),
                key=key_of(record),
                partition=-1 if topic == access.topics.replayed else 0,
                headers=[*headers],
            )
            place = _place(record)
            transactions.produce(
                producer,
                access.topics.dead_letters,
                None,
                partition=place.partition,
                headers=[(MARK, str(place).encode())],
            )


def _place(record: Message) -> LetterPlace:
    return LetterPlace(*position_of(record)[1:])
