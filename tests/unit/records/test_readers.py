"""One parser for our own records: what it passes can be counted with, dated and written again."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from consumer.errors import UnreadableRecord
from consumer.lane.state.delay_steps import DelayedInvitation
from consumer.lane.state.pending import PendingInvitation
from consumer.records.readers import RECORD_LIMIT, read_checkpoint, read_invitation, read_result
from consumer.records.result import Reason
from tests.support.lanes import NOW, invitation, result_of

GOOD = orjson.dumps({**invitation(1, "r1", "a", NOW + 9), "attempt": 0, "delays": 0, "due_at": NOW})
CHECKPOINT = {
    "version": 1, "lane": "cloud", "topic_id": None, "base": 7, "done": "eJwDAAAAAAE=",
    "in_flight": [], "permit_log": [NOW], "config_version": "c1",
}  # fmt: skip
IN_FLIGHT = {
    "batch_id": "b", "campaign": "a", "attempt": 1, "sealed_at": NOW, "first": 0, "offsets": ""
}  # fmt: skip
NUMBERS = [
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1e308", b"-1", b"1" + b"0" * 30,
    b"9" * 400, b"18446744073709551616", b"-9223372036854775809", b"0.5", b"true", b'"7"', b"null",
    b"[]", b"{}",
]  # fmt: skip
"""JSON (or what some parsers take for it) that is no count."""


def with_raw(record: bytes, key: str, raw: bytes) -> bytes:
    """The record with this text as the key's value, whatever it is."""
    found = {**orjson.loads(record), key: "@@"}
    return orjson.dumps(found).replace(b'"@@"', raw)


@pytest.mark.parametrize("key", ["attempt", "delays"])
@pytest.mark.parametrize("raw", NUMBERS, ids=lambda raw: raw[:20].decode())
def test_a_count_is_a_small_whole_number(key: str, raw: bytes) -> None:
    with pytest.raises(UnreadableRecord):
        read_invitation(with_raw(GOOD, key, raw))


@pytest.mark.parametrize("key", ["expires_at", "due_at"])
@pytest.mark.parametrize(
    "raw", [b"NaN", b"Infinity", b"1e999", b"1e300", b"-1e300", b"1" + b"0" * 30, b'"7"', b"true"]
)
def test_a_time_is_one_that_has_a_date(key: str, raw: bytes) -> None:
    with pytest.raises(UnreadableRecord):
        read_invitation(with_raw(GOOD, key, raw))


LONG = orjson.dumps("x" * 257)
WRONG = [
    ("version", b"2"), ("version", b"1.0"), ("version", b"true"), ("id", b"null"), ("id", LONG),
    ("event_id", LONG), ("event_time", LONG), ("campaign", LONG), ("pseudonym", LONG),
    ("route", LONG), ("config_version", LONG), ("resend_of", LONG), ("id", b'"\\ud800"'),
    ("data", b'{"a":"\\udc00"}'), ("data", b'{"a":{"b":{"c":"d"}}}'), ("data", b'{"a":1}'),
    ("address", b'{"phone":7}'), ("address", b"[]"),
    ("source", b'{"topic":"t","partition":-1,"offset":0}'),
    ("source", b'{"topic":"t","partition":0,"offset":1e30}'),
    ("source", b'{"topic":"t","partition":0,"offset":9223372036854775808}'),
    ("source", b'{"topic":"' + b"t" * 300 + b'","partition":0,"offset":0}'),
    ("other", b"[" * 300 + b"]" * 300), ("other", b'{"a":' * 300 + b"1" + b"}" * 300),
    ("data", b"[" * 2000 + b"]" * 2000), ("data", b"[" * 200_000),
]  # fmt: skip


@pytest.mark.parametrize(("key", "raw"), WRONG, ids=lambda each: each[:24])
def test_what_could_not_be_written_again_is_no_invitation(key: str, raw: bytes) -> None:
    with pytest.raises(UnreadableRecord):
        read_invitation(with_raw(GOOD, key, raw))


@pytest.mark.parametrize(
    "value",
    [None, b"", b"null", b"[]", b"7", b'"x"', b"{}", b"\xef\xbb\xbf" + GOOD, b"\xff", GOOD + GOOD,
     GOOD[:-1], GOOD.replace(b'"phone"', b'"p\xffone"'), b" " * RECORD_LIMIT + GOOD],
)  # fmt: skip
def test_bytes_that_are_no_record_are_refused(value: bytes | None) -> None:
    for read in (read_invitation, read_result):
        with pytest.raises(UnreadableRecord):
            read(value)


def test_the_last_of_two_equal_keys_counts_in_memory_as_in_what_is_written() -> None:
    twice = GOOD[:-1] + b',"attempt":3,"campaign":"b"}'
    held = PendingInvitation.read(7, twice, NOW)
    assert (held.campaign, held.attempt) == ("b", 3)
    assert held.invitation["campaign"] == "b"


def test_later_keys_are_kept_when_they_can_be_written() -> None:
    value = with_raw(GOOD, "later", b'{"a":[1,2.5,null]}')
    held = PendingInvitation.read(7, value, NOW)
    again = orjson.loads(DelayedInvitation(held, NOW, "1m").record())
    assert again["later"] == {"a": [1, 2.5, None]}


def test_a_read_offset_can_be_spilled_and_settled() -> None:
    held = PendingInvitation.read(7, GOOD, NOW)
    read_invitation(DelayedInvitation(held, NOW, "1m").record())
    read_result(orjson.dumps(result_of(held.invitation, Reason.ACCEPTED, None, 1)))


def test_an_error_names_our_keys_and_repeats_nothing() -> None:
    value = with_raw(GOOD, "+905551112233", b"1")
    value = with_raw(value, "data", b'{"+905551112233":7}')
    with pytest.raises(UnreadableRecord) as caught:
        read_invitation(value)
    assert str(caught.value) == "data"


@pytest.mark.parametrize(
    ("version", "attempt", "delays"),
    [(b"3", b"1e308", b"0"), (b"3", b"1" + b"0" * 30, b"0"), (b"3", b"0", b"-1"),
     (b"3", b"true", b"0"),
     (b"1e308", b"0", b"0"), (b'"3"', b"0", b"0"), (b"true", b"0", b"0"), (b"3.5", b"0", b"0")],
)  # fmt: skip
def test_counts_of_a_later_version_are_bounded_too(
    version: bytes, attempt: bytes, delays: bytes
) -> None:
    value = b'{"version":%s,"attempt":%s,"delays":%s}' % (version, attempt, delays)
    assert PendingInvitation.from_later_version(7, value, NOW) is None


def test_a_later_version_that_cannot_be_written_again_is_none() -> None:
    """orjson reads a thousand levels, and writes 254."""
    deep = b'{"version":3,"x":' + b"[" * 300 + b"]" * 300 + b"}"
    assert PendingInvitation.from_later_version(7, deep, NOW) is None
    large = b'{"version":3,"x":"' + b"x" * RECORD_LIMIT + b'"}'
    assert PendingInvitation.from_later_version(7, large, NOW) is None


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        ("permit_log", b"[NaN]"), ("permit_log", b"[1e999]"), ("permit_log", b"[1e300]"),
        ("permit_log", b"[-1]"), ("permit_log", b"[null]"), ("base", b"-1"),
        ("base", b"1" + b"0" * 30), ("closed_until", b"1e300"), ("closed_until", b"NaN"),
        ("limits_part", b"0"), ("limits_part", b"2"), ("limits_part", b"NaN"),
        ("limits_since", b"1e999"), ("permit_log_reach", b"-1"), ("version", b"2"),
        ("version", b"0"), ("lane", LONG), ("topic_id", LONG),
        ("tried", b'[{"attempt":1e30,"first":0,"offsets":""}]'),
        ("tried", b'[{"attempt":1,"first":-1,"offsets":""}]'),
        ("owners", b'[{"instance":"0","config_version":"c","at":1e300}]'),
        ("in_flight", orjson.dumps([{**IN_FLIGHT, "attempt": -1}])),
        ("in_flight", orjson.dumps([{**IN_FLIGHT, "sealed_at": 1e300}])),
    ],
    ids=lambda each: each[:24],
)  # fmt: skip
def test_numbers_of_a_checkpoint_are_bounded(key: str, raw: bytes) -> None:
    good = orjson.dumps(CHECKPOINT)
    read_checkpoint(good)
    with pytest.raises(UnreadableRecord):
        read_checkpoint(with_raw(good, key, raw))


def test_a_result_with_wrong_numbers_is_refused() -> None:
    good: dict[str, Any] = dict(result_of(invitation(1, "r", "a"), Reason.ACCEPTED, None, 1))
    assert read_result(orjson.dumps(good))["status"] == "accepted"
    for key in ("attempt", "version"):
        for raw in NUMBERS[:9]:
            with pytest.raises(UnreadableRecord):
                read_result(with_raw(orjson.dumps(good), key, raw))
