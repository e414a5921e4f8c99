"""Broken, odd and hostile events, one named row each, and the config that they meet.

A row's `expected` is the one count that the event may cause: (disposition, reason). `says` is a
fragment of what can be read afterwards: the dead letter's message, or the invitation's JSON.
Of duplicate keys the last one wins, as in most JSON readers (RFC 8259, section 4, leaves it open).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import orjson

TOPIC: Final = "pos.transaction-completed"
NOW: Final = 1_795_361_827.0
"""2026-11-22T15:37:07Z, when the table's events are routed."""
TIME: Final = "2026-11-22T15:00:00Z"
PHONE: Final = "+905321234567"
MAX_EVENT_BYTES: Final = 400_000

CONFIG: Final = f"""
version: 1
application_id: surveys
kafka: {{bootstrap.servers: "localhost:9092"}}
pseudonym: {{key_id: k1, key: a-key-for-tests-only}}
quotas: {{cloud: {{limits: [20/5s]}}}}
vendors:
  pisano: {{type: pisano, base_url: "https://pisano.example", token: t, quota: cloud}}
campaigns:
  sms: {{vendor: pisano, channel: sms, id: a}}
  email: {{vendor: pisano, channel: email, id: b}}
inputs:
  pos: {{topics: [{TOPIC}], format: json, max_event_bytes: {MAX_EVENT_BYTES}}}
routes:
  - name: store
    input: pos
    match: {{channel: pos, amount: [{{numeric: [">=", 100]}}]}}
    recipient: {{phone: customer.phone, email: customer.email}}
    phone_region: TR
    send: [sms, email]
    data:
      custom_attributes: {{name: customer.name, note: note}}
    policy: {{expire_after: 72h}}
"""

Expected = tuple[str, str]
ROUTED: Final[Expected] = ("routed", "")
UNMATCHED: Final[Expected] = ("unmatched", "")
TOO_OLD: Final[Expected] = ("expired", "too_old")
NO_RECIPIENT: Final[Expected] = ("rejected", "no_recipient")
INVALID_RECIPIENT: Final[Expected] = ("rejected", "invalid_recipient")
INVALID_DATA: Final[Expected] = ("rejected", "invalid_data")


@dataclass(frozen=True, slots=True)
class Row:
    """One event as it comes, and what must become of it."""

    name: str
    value: bytes | None
    expected: Expected
    says: str = ""


def event(**changes: object) -> bytes:
    """A sound event of the table's route, with some of its keys changed."""
    sound = {
        "id": "t-1",
        "time": TIME,
        "channel": "pos",
        "amount": 120,
        "customer": {"phone": PHONE, "name": "Ada"},
    }
    return orjson.dumps(sound | changes)


def raw(key: str, value: bytes) -> bytes:
    """A sound event in which `key` has a value that no JSON writer would write."""
    return event(**{key: "<here>"}).replace(b'"<here>"', value)


def without(key: str) -> bytes:
    """A sound event that lacks a key."""
    return orjson.dumps({k: v for k, v in orjson.loads(event()).items() if k != key})


def phone(value: object) -> bytes:
    """A sound event whose only address is this phone number."""
    return event(customer={"phone": value})


def email(value: object) -> bytes:
    """A sound event whose only address is this e-mail address."""
    return event(customer={"email": value})


def twice(first: bytes, second: bytes) -> bytes:
    """A sound event's text with one member put before and one behind its own."""
    return b"{" + first + b"," + event()[1:-1] + b"," + second + b"}"


def _dead(reason: str) -> Expected:
    return "dead_letter", reason


def _not_json(name: str, value: bytes) -> Row:
    return Row(name, value, _dead("not_json"), "expected one JSON document in UTF-8")


def _bad_id(name: str, value: bytes) -> Row:
    return Row(name, value, _dead("bad_id"), "expected 1 to 256 printable characters or an integer")


def _bad_time(name: str, value: bytes) -> Row:
    return Row(name, value, _dead("bad_time"), "expected RFC 3339 with an offset")


_EMPTY = _dead("empty")
_NOT_OBJECT = _dead("not_object")
_NO_ID = _dead("no_id")
_NO_TIME = _dead("no_time")

DOCUMENTS: Final = (
    Row("a tombstone", None, _EMPTY, "the record has no value"),
    Row("an empty value", b"", _EMPTY, "the record has no value"),
    Row(
        "one byte too long",
        event(note="x" * (MAX_EVENT_BYTES - len(event(note="")) + 1)),
        _dead("too_large"),
        "expected at most 400000 bytes",
    ),
    _not_json("white space only", b" \r\n\t"),
    _not_json("plain text", b"hello"),
    _not_json("XML", b"<event id='t-1'/>"),
    _not_json("a Confluent schema id before the JSON", b"\x00\x00\x00\x00\x07" + event()),
    _not_json("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"),
    _not_json("truncated in the middle", event()[:40]),
    _not_json("truncated by one byte", event()[:-1]),
    _not_json("trailing garbage", event() + b"x"),
    _not_json("two documents", event() + event()),
    _not_json("two documents on two lines", event() + b"\n" + event()),
    _not_json("a comment", b"/* pos */" + event()),
    _not_json("a trailing comma", event()[:-1] + b",}"),
    _not_json("single quotes", event().replace(b'"', b"'")),
    _not_json("UTF-16 with a mark", event().decode().encode("utf-16")),
    _not_json("UTF-16 without a mark", event().decode().encode("utf-16-le")),
    _not_json("UTF-32", event().decode().encode("utf-32")),
    _not_json("UTF-8 with a byte order mark", b"\xef\xbb\xbf" + event()),
    _not_json("Latin-1", event(note="Ayşe Gül").decode().encode("latin-1", "replace")),
    _not_json("invalid UTF-8", raw("note", b'"\xff"')),
    _not_json("a character cut in half", raw("note", b'"\xc3"')),
    _not_json("overlong UTF-8", raw("note", b'"\xc0\xaf"')),
    _not_json("a surrogate in UTF-8", raw("note", b'"\xed\xa0\x80"')),
    _not_json("a lone high surrogate, escaped", raw("note", b'"\\ud800"')),
    _not_json("a lone low surrogate, escaped", raw("note", b'"\\udc00"')),
    _not_json("a NUL byte in a text", raw("note", b'"\x00"')),
    _not_json("a NUL byte behind the document", event() + b"\x00"),
    _not_json("a line break in a text", raw("note", b'"a\nb"')),
    _not_json("100,000 open brackets", b"[" * 100_000),
    _not_json("100,000 nested arrays", raw("note", b"[" * 100_000 + b"]" * 100_000)),
    _not_json("20,000 nested objects", raw("note", b'{"a":' * 20_000 + b"0" + b"}" * 20_000)),
    _not_json("a number too large for a double", raw("amount", b"1e999")),
    _not_json("an integer of 401 digits", raw("amount", b"1" + b"0" * 400)),
    _not_json("NaN", raw("amount", b"NaN")),
    _not_json("Infinity", raw("amount", b"Infinity")),
    _not_json("minus Infinity", raw("amount", b"-Infinity")),
    _not_json("a leading zero", raw("amount", b"0120")),
    _not_json("a hexadecimal number", raw("amount", b"0x78")),
    Row("an array", b"[" + event() + b"]", _NOT_OBJECT, "expected a JSON object"),
    Row("an empty array", b"[]", _NOT_OBJECT, "expected a JSON object"),
    Row("a string", b'"t-1"', _NOT_OBJECT, "expected a JSON object"),
    Row("an event in a string", orjson.dumps(event().decode()), _NOT_OBJECT, "a JSON object"),
    Row("a number", b"7", _NOT_OBJECT, "expected a JSON object"),
    Row("null", b"null", _NOT_OBJECT, "expected a JSON object"),
    Row("true", b"true", _NOT_OBJECT, "expected a JSON object"),
)

IDENTITIES: Final = (
    Row("an empty object", b"{}", UNMATCHED),
    Row("another kind of event", b'{"type": "stock-count"}', UNMATCHED),
    Row("no id", without("id"), _NO_ID, "expected an id at `id`"),
    Row("a null id", event(id=None), _NO_ID, "expected an id at `id`"),
    Row("an id in other letters", without("id")[:-1] + b',"ID":"t-1"}', _NO_ID, "at `id`"),
    Row("an id that a later null takes back", twice(b'"x":0', b'"id":null'), _NO_ID, "at `id`"),
    _bad_id("an empty id", event(id="")),
    _bad_id("a boolean id", event(id=True)),
    _bad_id("a fractional id", event(id=1.5)),
    _bad_id("an id with an exponent", raw("id", b"1e3")),
    Row(
        "an id beyond 64 bits", raw("id", b"18446744073709551616"), ROUTED, '"18446744073709551616"'
    ),
    _bad_id("an object as id", event(id={"value": "t-1"})),
    _bad_id("a list as id", event(id=["t-1"])),
    _bad_id("an id of 300 characters", event(id="x" * 300)),
    _bad_id("an id with a line break", event(id="t-1\nt-2")),
    _bad_id("an id with an escaped NUL", event(id="t-1\x00")),
    _bad_id("an id with a right-to-left mark", event(id="t\u202e1")),
    Row("an integer id", event(id=42), ROUTED, '"event_id":"42"'),
    Row("the largest integer id", event(id=2**64 - 1), ROUTED, '"event_id":"18446744073709551615"'),
    Row("an id of 256 characters", event(id="x" * 256), ROUTED, '"event_id":"xxx'),
    Row("an id of letters beyond ASCII", event(id="işlem-ı"), ROUTED, '"event_id":"işlem-ı"'),
    Row("an id twice", twice(b'"id":"first"', b'"id":"last"'), ROUTED, '"event_id":"last"'),
)

TIMES: Final = (
    Row("no time", without("time"), _NO_TIME, "expected a time at `time`"),
    Row("a null time", event(time=None), _NO_TIME, "expected a time at `time`"),
    _bad_time("a naive time", event(time="2026-11-22T15:00:00")),
    _bad_time("garbage as time", event(time="yesterday")),
    _bad_time("an empty time", event(time="")),
    _bad_time("a date only", event(time="2026-11-22")),
    Row("no seconds", event(time="2026-11-22T15:00Z"), ROUTED, '"2026-11-22T15:00:00Z"'),
    Row("a space for the T", event(time="2026-11-22 15:00:00Z"), ROUTED, '"2026-11-22T15:00:00Z"'),
    Row("epoch seconds", event(time=1_795_359_600), ROUTED, '"2026-11-22T15:00:00.000Z"'),
    Row(
        "epoch microseconds",
        event(time=1_795_359_600_000_000),
        ROUTED,
        '"2026-11-22T15:00:00.000Z"',
    ),
    Row(
        "epoch milliseconds as text",
        event(time="1795359600000"),
        ROUTED,
        '"2026-11-22T15:00:00.000Z"',
    ),
    Row(
        "half a millisecond",
        event(time=1_795_359_600_000.5),
        ROUTED,
        '"2026-11-22T15:00:00.000500Z"',
    ),
    _bad_time("a negative time", event(time=-1)),
    _bad_time("month 13", event(time="2026-13-01T00:00:00Z")),
    _bad_time("30 February", event(time="2026-02-30T15:00:00Z")),
    Row("hour 24", event(time="2026-11-21T24:00:00Z"), ROUTED, '"2026-11-22T00:00:00Z"'),
    Row("a leap second", event(time="2016-12-31T23:59:60Z"), TOO_OLD),
    Row("no colon", event(time="2026-11-22T18:00:00+0300"), ROUTED, '"2026-11-22T18:00:00+03:00"'),
    _bad_time("an offset of 24 hours", event(time="2026-11-22T18:00:00+24:00")),
    _bad_time("a zone's name", event(time="2026-11-22T18:00:00 Europe/Istanbul")),
    _bad_time("year 10000", event(time="10000-01-01T00:00:00Z")),
    _bad_time("year 0", event(time="0000-01-01T00:00:00Z")),
    _bad_time("a boolean time", event(time=True)),
    _bad_time("an object as time", event(time={"seconds": 1_795_359_600})),
    _bad_time("a list as time", event(time=[TIME])),
    Row("the first year", event(time="0001-01-01T00:00:00Z"), TOO_OLD),
    Row("a time of last week", event(time="2026-11-15T15:00:00Z"), TOO_OLD),
    Row("the last second", event(time="9999-12-31T23:59:59Z"), _dead("bad_time"), "86400 s ahead"),
    Row("the day after tomorrow", event(time="2026-11-24T15:00Z"), _dead("bad_time"), "ahead of"),
    Row("tomorrow", event(time="2026-11-23T15:00:00Z"), ROUTED, '"2026-11-23T15:00:00Z"'),
    Row("lower-case t and z", event(time=TIME.lower()), ROUTED, '"2026-11-22t15:00:00z"'),
    Row("an offset east", event(time="2026-11-22T18:00:00+03:00"), ROUTED, "18:00:00+03:00"),
    Row("an offset west", event(time="2026-11-22T10:00:00-05:00"), ROUTED, "10:00:00-05:00"),
    Row("epoch milliseconds", event(time=1_795_359_600_000), ROUTED, '"2026-11-22T15:00:00.000Z"'),
)

MATCHES: Final = (
    Row("no channel", without("channel"), UNMATCHED),
    Row("another channel", event(channel="web"), UNMATCHED),
    Row("an object where a channel is expected", event(channel={"name": "pos"}), UNMATCHED),
    Row("an amount as text", event(amount="120"), UNMATCHED),
    Row("a null amount", event(amount=None), UNMATCHED),
    Row("a boolean amount", event(amount=True), UNMATCHED),
    Row("a small amount", event(amount=99.99), UNMATCHED),
    Row("an amount near the end of doubles", raw("amount", b"1e308"), ROUTED, '"campaign":"sms"'),
    Row("a list that has the channel", event(channel=["web", "pos"]), ROUTED, '"campaign":"sms"'),
    Row("unknown keys", event(basket=[{"sku": 1}], trace=None), ROUTED, '"campaign":"sms"'),
    Row("an amount twice", twice(b'"amount":1', b'"amount":150'), ROUTED, '"campaign":"sms"'),
    Row("a small amount at last", twice(b'"amount":150', b'"amount":1'), UNMATCHED),
)

RECIPIENTS: Final = (
    Row("no customer", without("customer"), NO_RECIPIENT),
    Row("a null customer", event(customer=None), NO_RECIPIENT),
    Row("a text where the customer is expected", event(customer="Ada"), NO_RECIPIENT),
    Row("a list where the customer is expected", event(customer=[{"phone": PHONE}]), NO_RECIPIENT),
    Row("an empty customer", event(customer={}), NO_RECIPIENT),
    Row("a null phone", phone(None), NO_RECIPIENT),
    Row("an empty phone", phone(""), NO_RECIPIENT),
    Row("a blank phone", phone("   "), INVALID_RECIPIENT),
    Row("letters as phone", phone("call me"), INVALID_RECIPIENT),
    Row("a masked phone", phone("+905321234XXX"), INVALID_RECIPIENT),
    Row("a fixed line for a text message", phone("+902161234567"), INVALID_RECIPIENT),
    Row("an impossible phone", phone("+900000000000"), INVALID_RECIPIENT),
    Row("a phone that is too short", phone("532123"), INVALID_RECIPIENT),
    Row("a phone that is too long", phone("+90532123456789"), INVALID_RECIPIENT),
    Row("a phone of 10,000 digits", phone("5" * 10_000), INVALID_RECIPIENT),
    Row("an unknown calling code", phone("+9995321234567"), INVALID_RECIPIENT),
    Row("a phone with a NUL inside", phone("+90532\x001234567"), INVALID_RECIPIENT),
    Row("two phones in one text", phone(f"{PHONE} / {PHONE}"), INVALID_RECIPIENT),
    Row("a fractional phone", phone(5321234567.5), INVALID_RECIPIENT),
    Row("a negative phone", phone(-5321234567), INVALID_RECIPIENT),
    Row("a boolean phone", phone(False), INVALID_RECIPIENT),
    Row("an object as phone", phone({"mobile": PHONE}), INVALID_RECIPIENT),
    Row("a list as phone", phone([PHONE]), INVALID_RECIPIENT),
    Row("a national phone", phone("0532 123 45 67"), ROUTED, f'"phone":"{PHONE}"'),
    Row("a phone with a NUL behind", phone(f"{PHONE}\x00"), ROUTED, f'"phone":"{PHONE}"'),
    Row("a phone as number", phone(5321234567), ROUTED, f'"phone":"{PHONE}"'),
    Row("an e-mail address without @", email("ada.example.com"), INVALID_RECIPIENT),
    Row("an e-mail address with two @", email("ada@home@example.com"), INVALID_RECIPIENT),
    Row("an e-mail address with a space", email("ada b@example.com"), INVALID_RECIPIENT),
    Row("spaces around an e-mail address", email(" ada@example.com "), ROUTED, '"ada@example.com"'),
    Row("two e-mail addresses", email("ada@example.com,bob@example.com"), INVALID_RECIPIENT),
    Row("an e-mail address with a name", email("Ada <ada@example.com>"), INVALID_RECIPIENT),
    Row("an e-mail header injected", email("ada@example.com\r\nBcc: x@y.com"), INVALID_RECIPIENT),
    Row("an e-mail address without a dot", email("ada@localhost"), INVALID_RECIPIENT),
    Row("a very long e-mail address", email("a" * 300 + "@example.com"), INVALID_RECIPIENT),
    Row("a number as e-mail address", email(7), INVALID_RECIPIENT),
    Row("an object as e-mail address", email({"a": "ada@example.com"}), INVALID_RECIPIENT),
    Row("an IDN domain", email("ada@bücher.example.com"), ROUTED, '"email":"ada@bücher.example'),
    Row("an IDN domain in Punycode", email("a@xn--bcher-kva.com"), ROUTED, '"email":"a@bücher.com'),
    Row("a broken IDN domain", email("a@xn--\u0378.com"), INVALID_RECIPIENT),
    Row(
        "a broken phone beside an e-mail address",
        event(customer={"phone": "x", "email": "ada@example.com"}),
        ROUTED,
        '"campaign":"email"',
    ),
)

DATA: Final = (
    Row("an object as data value", event(note={"a": [1, None]}), ROUTED, r'"{\"a\":[1,null]}"'),
    Row("a data value nested 100 deep", raw("note", b"[" * 100 + b"]" * 100), ROUTED, '"[[[['),
    # orjson reads deeper than it writes: such a value counts as null.
    Row("a data value nested 900 deep", raw("note", b"[" * 900 + b"]" * 900), ROUTED, '"Ada"}}'),
    Row("a data value with an escaped NUL", event(note="a\x00b"), ROUTED, r'"a\u0000b"'),
    Row("an empty data value", event(note=""), ROUTED, '"note":""'),
    Row("a data value of 200 kB", event(note="x" * 200_000), ROUTED, '"note":"xxx'),
    Row("a data value over 256 KiB", event(note="x" * 263_000), INVALID_DATA),
    Row("a data value that grows by escapes", event(note='"' * 131_000 + "x"), INVALID_DATA),
)

ROWS: Final = (*DOCUMENTS, *IDENTITIES, *TIMES, *MATCHES, *RECIPIENTS, *DATA)
