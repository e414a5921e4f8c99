"""Records made to harm, by a hand that may write to any topic of the program.

`RECORD` varies a record's outside (key, headers, timestamp) and leaves its value as it is; the
others are values of their own. What each must become is the test's to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson

from consumer.records.invitation import encode_invitation
from tests.support.raw_records import RawHeader

HUGE: Final = 17 * 2**20
"""Bytes: more than any record of the program may have. Zeros, so that topics take it compressed."""

NO_UTF_8: Final = b"\xff\xfe"


class Outside(NamedTuple):
    """All of a record but its value."""

    key: bytes | None = None
    headers: tuple[RawHeader, ...] = ()
    timestamp: int = 0


OUTSIDE: Final[Mapping[str, Outside]] = {
    "no key": Outside(),
    "empty key": Outside(b""),
    "key of NULs": Outside(bytes(9)),
    "key no utf-8": Outside(NO_UTF_8),
    "header no utf-8": Outside(b"k", ((NO_UTF_8, b"v"),)),
    "header no utf-8 between": Outside(b"k", ((b"a", b"1"), (NO_UTF_8, None), (b"b", b"2"))),
    "headers no utf-8": Outside(b"k", ((b"\xed\xa0\x80", b"v"), (b"\xc3", b""), (NO_UTF_8, b"v"))),
    "header without a name": Outside(b"k", ((b"", b"v"), (b"", None))),
    "header of NUL": Outside(b"k", ((b"a\0b", b"\0"),)),
    "headers repeated": Outside(b"k", ((b"a", b"1"), (b"a", None), (b"a", NO_UTF_8))),
    "headers like a dead letter's": Outside(
        b"k",
        (
            (b"dead_letter.reason", b"x"),
            (b"dead_letter.value_bytes", b"-1"),
            (b"dead_letter.replayed", b"0/0"),
        ),
    ),
    "many headers": Outside(b"k", ((b"", None),) * 50_000),
    "no timestamp": Outside(b"k", timestamp=-1),
    "timestamp of 1970": Outside(b"k", timestamp=1),
}

VALUES: Final[Mapping[str, bytes | None]] = {
    "null": None,
    "empty": b"",
    "NUL": b"\0",
    "no utf-8": NO_UTF_8,
    "a mark of byte order": b"\xef\xbb\xbf{}",
    "a number": b"7",
    "NaN": b"NaN",
    "null in JSON": b"null",
    "a string": b'"x"',
    "a list": b"[{}]",
    "half": b'{"version":1,',
    "two": b"{}{}",
    "an object": b"{}",
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
    "a surrogate": b'{"id":"\\ud800"}',
    "a long number": b'{"id":' + b"9" * 5_000 + b"}",
}

NUMBERS: Final = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1e308", b"-1e308", b"1" + b"0" * 30,
    b"-1", b"18446744073709551616", b"9" * 400, b"true", b'"1"', b"[]", b"{}", b"0.5",
)  # fmt: skip


def altered(record: Mapping[str, Any], key: str, raw: bytes) -> bytes:
    """The record with this text as a key's value, whether it is JSON or not."""
    return orjson.dumps({**record, key: "@@"}).replace(b'"@@"', raw)


_TIMES = (*NUMBERS[:8], NUMBERS[10], b"true", b'"1"', b"[]")
_NAMES = (b"null", b"7", b"[]", b'"\\udc00"', b'"' + b"x" * 300 + b'"')
_SOURCE = b'{"topic":"t","partition":0,"offset":%s}'
_WRONG: Final[Mapping[str, tuple[bytes, ...]]] = {
    **dict.fromkeys(("attempt", "delays"), NUMBERS),
    **dict.fromkeys(("due_at", "expires_at"), _TIMES),
    **dict.fromkeys(
        ("id", "event_id", "event_time", "campaign", "pseudonym", "route", "routed_at"), _NAMES
    ),
    "version": (b"2.0", b"true", b"-1", b"1e30", b'"1"', b"null"),
    "data": (
        b'{"a":1}', b'{"a":{"b":{}}}', b"[]", b"[" * 900 + b"]" * 900, b'{"a":"\\ud800"}'
    ),
    "address": (b'{"phone":1}', b"null", b'{"phone":null}'),
    "source": tuple(_SOURCE % n for n in (b"-1", b"1e30", b"9223372036854775808", b"true", b"0.5")),
    "x": (b"[" * 300 + b"]" * 300, b'"' + b"x" * 600_000 + b'"', b'"' + b"x" * HUGE + b'"'),
}  # fmt: skip
"""Key of an invitation → texts that it must not have. `x` is a later version's."""


def bad_invitations(good: Mapping[str, Any]) -> Iterator[bytes]:
    """Records of both versions that are no invitations, each for one reason."""
    latest = orjson.loads(encode_invitation(good))  # type: ignore[arg-type]  # of either version
    of_result = latest["result"].keys()
    for key, texts in _WRONG.items():
        for raw in texts:
            yield altered(good, key, raw)
            if key in of_result:
                part = altered(latest["result"], key, raw)
                yield orjson.dumps({**latest, "result": "@@"}).replace(b'"@@"', part)
            else:
                yield altered(latest, key, raw)
    for raw in (b"null", b"[]", b'"x"', b"{}"):
        yield altered(latest, "result", raw)
    for record in (good, latest):
        for key in record:
            yield orjson.dumps({name: value for name, value in record.items() if name != key})


def bad_delays(good: Mapping[str, bytes]) -> Iterator[tuple[RawHeader, ...]]:
    """Headers of delayed records that no lane wrote, each for one reason."""
    pairs: dict[bytes, bytes | None] = {name.encode(): value for name, value in good.items()}
    times = (*NUMBERS[:-1], b"", b"1_0", b" 1", "\u0663".encode(), b"253402300800", NO_UTF_8)
    lanes = (b"", b"UPPER", b"a/b", b"a" * 300, b"cloud\n", b"\0", NO_UTF_8, b"../x")
    for name, texts in ((b"arrived", times), (b"due_at", times), (b"lane", lanes)):
        for raw in (None, *texts):
            yield tuple({**pairs, name: raw}.items())
        yield tuple((other, value) for other, value in pairs.items() if other != name)
    yield (*pairs.items(), (NO_UTF_8, b"v"))
    yield tuple({**pairs, b"due_at": b"250000000000"}.items())  # the year 9892
