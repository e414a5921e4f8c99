"""Dead letters: how they are read, which go back, and where to."""

from __future__ import annotations

import pytest

from consumer.config.topic_names import Topics
from consumer.kafka.records.messages import Header
from consumer.kafka.records.publisher import dead_letter_headers
from consumer.kafka.records.replayed import original, place_headers
from consumer.operations.dead_letters.letters import (
    ADVICE,
    MARK,
    DeadLetterList,
    DeadLetterRecord,
    Filter,
    Homes,
    LetterPlace,
    Stay,
    letter_of,
    place_of,
    replayed_place,
)
from consumer.records.dead_letter import DeadLetter, DeadLetterReason

AT = "2026-11-22T15:37:07.000Z"
HERE = LetterPlace(0, 42)
HOMES = Homes(Topics("surveys"), ["pos"], ["cloud"])
OWN: list[Header] = [("trace", b"t-1"), ("dead_letter.reason", b"of another program"), ("n", None)]


def headers(
    reason: DeadLetterReason = DeadLetterReason.NO_TIME, topic: str = "pos"
) -> list[Header]:
    """As the router writes them."""
    letter = DeadLetter(
        reason,
        "expected a time",
        {"topic": topic, "partition": 2, "offset": 7},
        b"key",
        b"value",
        OWN,
        1_700_000_000_123,
    )
    return [*OWN, *dead_letter_headers(letter, AT, "c1")]


def read(*found: Header) -> DeadLetterRecord:
    letter = letter_of(HERE, list(found))
    assert letter is not None
    return letter


def test_a_letter_tells_what_it_was() -> None:
    assert read(*headers()) == DeadLetterRecord(
        HERE,
        DeadLetterReason.NO_TIME,
        "expected a time",
        "pos",
        2,
        7,
        1_700_000_000_123,
        AT,
        "c1",
        OWN,
    )


def test_a_letter_without_its_value_says_how_large_it_was() -> None:
    letter = read(*headers()[len(OWN) :], ("dead_letter.value_bytes", b"20000000"))
    assert letter.lost == {"value": 20_000_000}
    assert letter.headers == []
    assert HOMES.of(letter) is Stay.NO_VALUE


def test_the_first_letters_had_no_version() -> None:
    old = [header for header in headers() if header[0] != "dead_letter.version"]
    assert read(*old) == read(*headers())


@pytest.mark.parametrize(
    "found",
    [
        [],
        OWN,
        headers()[:-1],
        [*headers(), ("later", b"")],
        [*headers()[:-8], ("dead_letter.reason", b"tired"), *headers()[-7:]],
        [*headers()[:-5], ("dead_letter.partition", b"two"), *headers()[-4:]],
        [(MARK, b"0/1")],
    ],
)
def test_a_record_that_is_no_letter_of_ours_is_passed_over(found: list[Header]) -> None:
    assert letter_of(HERE, found) is None


@pytest.mark.parametrize(
    "text", ["", "1", "1/", "/1", "0/x", "-1/2", "0/ 1", "00/1", "0/1/2", "²/1"]
)
def test_a_place_is_a_partition_and_an_offset(text: str) -> None:
    assert place_of(text) is None
    assert place_of("3/42") == LetterPlace(3, 42)


def test_a_mark_is_a_record_with_its_header_alone() -> None:
    """An event may carry such a header too: its dead letter is no mark."""
    assert replayed_place([(MARK, b"0/42")]) == HERE
    assert replayed_place([(MARK, b"0/42"), *headers()]) is None
    assert replayed_place([(MARK, b"somewhere")]) is None
    assert replayed_place([("other", b"0/42")]) is None


def test_letters_go_where_they_came_from() -> None:
    assert HOMES.of(read(*headers())) == "surveys.replayed"
    lane = headers(DeadLetterReason.BAD_INVITATION, "surveys.invitations.cloud")
    assert HOMES.of(read(*lane)) == "surveys.invitations.cloud"


@pytest.mark.parametrize(
    "topic", ["web", "surveys.invitations.gone", "surveys.replayed", "surveys.results"]
)
def test_a_letter_of_a_topic_that_the_config_has_not_stays(topic: str) -> None:
    assert HOMES.of(read(*headers(topic=topic))) is Stay.NO_INPUT


def test_what_was_given_back_stays_wherever_its_mark_stands() -> None:
    box = DeadLetterList(Filter(places=[LetterPlace(0, 1), LetterPlace(0, 2), LetterPlace(0, 3)]))
    box.record(LetterPlace(0, 1), headers(), 0.0)
    box.record(LetterPlace(0, 2), headers(), 0.0)
    box.record(LetterPlace(0, 5), headers(), 0.0)
    box.record(LetterPlace(0, 9), [(MARK, b"0/1")], 0.0)
    going, staying = box.sort(HOMES)
    assert going == {LetterPlace(0, 2): "surveys.replayed"}
    assert staying == {LetterPlace(0, 1): Stay.REPLAYED, LetterPlace(0, 3): Stay.UNKNOWN}


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (Filter(), True),
        (Filter(reasons=["no_time"]), True),
        (Filter(reasons=["no_id"]), False),
        (Filter(topics=["pos"]), True),
        (Filter(topics=["web"]), False),
        (Filter(places=[HERE]), True),
        (Filter(places=[LetterPlace(0, 1)]), False),
        (Filter(since=100.0), True),
        (Filter(since=100.5), False),
    ],
)
def test_a_filter_takes_what_was_asked_for(wanted: Filter, taken: bool) -> None:
    assert wanted.takes(read(*headers()), 100.0) is taken


def test_there_is_advice_for_every_reason() -> None:
    assert ADVICE.keys() == set(DeadLetterReason)


# -- a replayed record's place --------------------------------------------------------------------


def test_a_replayed_record_is_read_as_what_it_was() -> None:
    found = original([*OWN, *place_headers("pos", 2, 7, -1)])
    assert found == ("pos", 2, 7, -1, OWN)


PLACE = place_headers("pos", 2, 7, 0)


@pytest.mark.parametrize(
    "found",
    [
        [],
        OWN,
        PLACE[1:],
        [*PLACE, ("later", b"")],
        [PLACE[1], PLACE[0], *PLACE[2:]],
        [("dead_letter.topic", b""), *PLACE[1:]],
        [("dead_letter.topic", None), *PLACE[1:]],
        [("dead_letter.topic", b"\xff"), *PLACE[1:]],
        [PLACE[0], ("dead_letter.partition", b"-1"), *PLACE[2:]],
        [*PLACE[:2], ("dead_letter.offset", b"1e3"), PLACE[3]],
        [*PLACE[:2], ("dead_letter.offset", b"9" * 30), PLACE[3]],
        [*PLACE[:3], ("dead_letter.timestamp", None)],
    ],
)
def test_a_place_that_cannot_be_read_is_none(found: list[Header]) -> None:
    assert original(found) is None
