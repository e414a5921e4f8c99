"""Decoding: an event, or the dead letter's reason in words that carry nothing of the event."""

from __future__ import annotations

import datetime as dt
import traceback
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from consumer.config.sections import Input
from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.fields import rfc3339
from consumer.records.input_record import InputRecord, RecordEnvelope
from consumer.routing.decoding.decode import MAX_AHEAD, Event, EventDecoder
from consumer.routing.decoding.formats import FORMATS, SCHEMA_FORMATS
from consumer.routing.decoding.payload import Payload, decode_json
from consumer.routing.decoding.times import TimeReader, TimeUnit
from tests.support.events import decoded

DECODER = EventDecoder(decode_json, "id", "at.time", 1000)
TIME = "2026-11-22T15:37:07Z"
EPOCH = 1795361827.0


def record(event_id: object = "t-1", time: object = TIME) -> bytes:
    return orjson.dumps({"id": event_id, "at": {"time": time}, "phone": "SECRET"})


def decode(value: bytes | None) -> Event:
    return decoded(DECODER, InputRecord("pos", 0, 0, value))


def refusal(value: bytes | None) -> EventError:
    with pytest.raises(EventError) as caught:
        decode(value)
    return caught.value


def test_an_event_is_its_body_id_and_time() -> None:
    event = decode(record())
    assert (event.id, event.time, event.time_text) == ("t-1", EPOCH, TIME)
    assert event.body == {"id": "t-1", "at": {"time": TIME}, "phone": "SECRET"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, DeadLetterReason.EMPTY),
        (b"", DeadLetterReason.EMPTY),
        (b" " * 1001, DeadLetterReason.TOO_LARGE),
        (b" ", DeadLetterReason.NOT_JSON),
        (b'{"id": "SECRET', DeadLetterReason.NOT_JSON),
        (b'{"id": NaN}', DeadLetterReason.NOT_JSON),
        (b"{} {}", DeadLetterReason.NOT_JSON),
        (b'{"id": "\xff"}', DeadLetterReason.NOT_JSON),
        (b'{"id": "\\ud800"}', DeadLetterReason.NOT_JSON),
        (b'\xef\xbb\xbf{"id": "a"}', DeadLetterReason.NOT_JSON),
        (b"[" * 999, DeadLetterReason.NOT_JSON),
        (b"[]", DeadLetterReason.NOT_OBJECT),
        (b'"SECRET"', DeadLetterReason.NOT_OBJECT),
        (b"null", DeadLetterReason.NOT_OBJECT),
        (b"{}", DeadLetterReason.NO_ID),
        (record(event_id=None), DeadLetterReason.NO_ID),
        (record(event_id=""), DeadLetterReason.BAD_ID),
        (record(event_id="x" * 257), DeadLetterReason.BAD_ID),
        (record(event_id="SECRET\n"), DeadLetterReason.BAD_ID),
        (record(event_id="SECRET\x00"), DeadLetterReason.BAD_ID),
        (record(event_id=True), DeadLetterReason.BAD_ID),
        (record(event_id=1.5), DeadLetterReason.BAD_ID),
        (record(event_id=["SECRET"]), DeadLetterReason.BAD_ID),
        (b'{"id": "a"}', DeadLetterReason.NO_TIME),
        (b'{"id": "a", "at": "SECRET"}', DeadLetterReason.NO_TIME),
        (record(time=None), DeadLetterReason.NO_TIME),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(
    value: bytes | None, reason: DeadLetterReason
) -> None:
    error = refusal(value)
    assert error.reason is reason
    assert error.__context__ is None
    assert "SECRET" not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "time",
    [
        "",
        "SECRET",
        "2026-11-22",
        "2026-11-22Z",
        "2026-11-22T15:37:07",
        "2026-11-22 15:37",
        "2026-11-22T15Z",
        "2026-W47-7T15:37:07Z",
        "2026-11-22T15:37:07+24:00",
        "2026-11-22T15:37:07+03:60",
        "2026-11-22T15:37:07+3",
        "2026-11-22T15:37:07 EET",
        "2026-11-22T15:37:07[Europe/Istanbul]",
        "2026-11-22T15:37:07.Z",
        "2026-11-22T15:37.5Z",
        "2026-11-22T24:00:01Z",
        "2026-11-22T24:00:00.5Z",
        "2026-11-22T24:01:00Z",
        "2026-11-22T25:00:00Z",
        "2026-11-22T15:60:07Z",
        "2026-11-22T15:37:60Z",
        "2026-11-22T15:37:61Z",
        "2016-12-31T23:59:60+03:00",
        "2026-02-30T15:37:07Z",
        "2026-02-30T15:37Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "9999-12-31T24:00:00Z",
        "2026-1-2T15:37:07Z",
        "22.11.2026 15:37:07Z",
        "２026-11-22T15:37:07Z",
        "2026-11-22T15:37:07Z" + " " * 100,
        "20261122153707",
        "1795361827 s",
        "0x6B03",
        "-1795361827",
        "1e400",
        "9" * 400,
        "NaN",
        True,
        4102444800,
        946684799,
        946684799999,
        4102444800000,
        946684799999999,
        4102444800000000000,
        179536182,
        -1795361827,
        -1,
        0,
        1e300,
        {},
        {"$date": 1795361827000},
        [2026, 11, 22, 15, 37, 7],
    ],
)
def test_a_time_that_is_not_iso_8601_with_offset_nor_epoch_time_is_refused(time: object) -> None:
    error = refusal(record(time=time))
    assert error.reason is DeadLetterReason.BAD_TIME
    assert "RFC 3339 with an offset" in str(error)
    assert error.__context__ is None


@pytest.mark.parametrize(
    ("time", "seconds", "text"),
    [
        ("2026-11-22t15:37:07z", EPOCH, "2026-11-22t15:37:07z"),
        ("2026-11-22T18:37:07+03:00", EPOCH, "2026-11-22T18:37:07+03:00"),
        ("2026-11-22T15:37:07-00:00", EPOCH, "2026-11-22T15:37:07-00:00"),
        ("2026-11-22T15:37:07.25Z", EPOCH + 0.25, "2026-11-22T15:37:07.25Z"),
        ("2026-11-22T15:37:07.250000999Z", EPOCH + 0.25, "2026-11-22T15:37:07.250000999Z"),
        ("9999-12-31T23:59:59-23:59", 253402387139.0, "9999-12-31T23:59:59-23:59"),
        ("0001-01-01T00:00:00+23:59", -62135683140.0, "0001-01-01T00:00:00+23:59"),
        (1795361827123, EPOCH + 0.123, "2026-11-22T15:37:07.123Z"),
        (946684800000, 946684800.0, "2000-01-01T00:00:00.000Z"),
        (4102444799999, 4102444799.999, "2099-12-31T23:59:59.999Z"),
        ("2026-11-22T15:37Z", EPOCH - 7, "2026-11-22T15:37:00Z"),
        ("2026-11-22T18:37+03:00", EPOCH - 7, "2026-11-22T18:37:00+03:00"),
        ("2026-11-22T18:37:07+0300", EPOCH, "2026-11-22T18:37:07+03:00"),
        ("2026-11-22T18:37:07+03", EPOCH, "2026-11-22T18:37:07+03:00"),
        ("2026-11-22T12:07:07-0330", EPOCH, "2026-11-22T12:07:07-03:30"),
        ("2026-11-22T12:07:07\u221203:30", EPOCH, "2026-11-22T12:07:07-03:30"),
        ("2026-11-22T15:37:07+0000", EPOCH, "2026-11-22T15:37:07Z"),
        ("2026-11-22T15:37:07,5Z", EPOCH + 0.5, "2026-11-22T15:37:07.5Z"),
        ("2026-11-22T15:37:07.1234567891Z", EPOCH + 0.123456, "2026-11-22T15:37:07.123456789Z"),
        ("2026-11-22 15:37:07Z", EPOCH, "2026-11-22T15:37:07Z"),
        ("2026-11-22 18:37:07.25+03", EPOCH + 0.25, "2026-11-22T18:37:07.25+03:00"),
        ("2026-11-22 15:37:07 UTC", EPOCH, "2026-11-22T15:37:07Z"),
        ("2026-11-22 18:37:07 +0300", EPOCH, "2026-11-22T18:37:07+03:00"),
        ("2026-11-22T18:37:07+03:00[Europe/Istanbul]", EPOCH, "2026-11-22T18:37:07+03:00"),
        ("2026-11-22T15:37Z[Etc/UTC]", EPOCH - 7, "2026-11-22T15:37:00Z"),
        ("20261122T153707Z", EPOCH, "2026-11-22T15:37:07Z"),
        ("20261122T183707+0300", EPOCH, "2026-11-22T18:37:07+03:00"),
        (" 2026-11-22T15:37:07Z\n", EPOCH, "2026-11-22T15:37:07Z"),
        ("2026-11-21T24:00:00Z", EPOCH - 56227, "2026-11-22T00:00:00Z"),
        ("2026-11-21T24:00+03:00", EPOCH - 67027, "2026-11-22T00:00:00+03:00"),
        ("2016-12-31T23:59:60Z", 1483228800.0, "2017-01-01T00:00:00Z"),
        ("2017-01-01T02:59:60.5+03:00", 1483228800.5, "2017-01-01T03:00:00.5+03:00"),
        (1795361827, EPOCH, "2026-11-22T15:37:07.000Z"),
        (1795361827.5, EPOCH + 0.5, "2026-11-22T15:37:07.500Z"),
        (1795361827000.0, EPOCH, "2026-11-22T15:37:07.000Z"),
        (1795361827123456, EPOCH + 0.123456, "2026-11-22T15:37:07.123456Z"),
        (1795361827123456789, 1795361827.1234567, "2026-11-22T15:37:07.123457Z"),
        ("1795361827", EPOCH, "2026-11-22T15:37:07.000Z"),
        ("1795361827000", EPOCH, "2026-11-22T15:37:07.000Z"),
        ("1795361827.250000000", EPOCH + 0.25, "2026-11-22T15:37:07.250Z"),
        ("1.795361827E9", EPOCH, "2026-11-22T15:37:07.000Z"),
        ("1.795361827E12", EPOCH, "2026-11-22T15:37:07.000Z"),
    ],
)
def test_a_time_is_kept_as_it_came_or_formatted(time: Any, seconds: float, text: str) -> None:
    event = decode(record(time=time))
    assert (event.time, event.time_text) == (seconds, text)


@given(st.datetimes(timezones=st.timezones().map(lambda _: dt.UTC)), st.integers(-1439, 1439))
def test_every_rfc_3339_time_is_read(moment: dt.datetime, minutes: int) -> None:
    sign, away = "-" if minutes < 0 else "+", abs(minutes)
    text = f"{moment.isoformat()[:19]}{sign}{away // 60:02d}:{away % 60:02d}"
    expected = moment.replace(microsecond=0).timestamp() - minutes * 60
    assert decode(record(time=text)).time == expected


SECONDS = st.integers(946684800, 4102444799)


@pytest.mark.parametrize("per", [1, 10**3, 10**6, 10**9])
@given(SECONDS, st.integers(0, 999))
def test_an_epoch_time_is_the_same_in_every_unit_and_form(per: int, whole: int, ms: int) -> None:
    number = whole * per + ms * per // 1000
    event = decode(record(time=number))
    assert event.time == pytest.approx(number / per, abs=1e-6)
    assert decode(record(time=str(number))).time == event.time
    assert decode(record(time=event.time_text)).time == pytest.approx(event.time, abs=1e-6)


@given(SECONDS, st.sampled_from(["s", "ms", "us", "ns"]))
def test_a_unit_that_is_named_is_the_only_one(whole: int, unit: TimeUnit) -> None:
    per = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
    reader = TimeReader(unit)
    assert [name for name in per if reader(whole * per[name])] == [unit]


WITHIN = dt.datetime(1, 1, 3), dt.datetime(9999, 12, 29)  # noqa: DTZ001 - the zone is drawn


@given(
    st.datetimes(*WITHIN),
    st.integers(-1439, 1439),
    st.sampled_from(["T", "t", " "]),
    st.sampled_from([":", ""]),
    st.sampled_from([".", ","]),
    st.integers(0, 9),
)
def test_every_form_of_iso_8601_is_the_time_that_rfc_3339_says(
    moment: dt.datetime, away: int, between: str, colon: str, dot: str, digits: int
) -> None:
    zone = dt.timezone(dt.timedelta(minutes=away))
    moment = moment.replace(tzinfo=zone)
    offset = f"{'-' if away < 0 else '+'}{abs(away) // 60:02d}{colon}{abs(away) % 60:02d}"
    fraction = f"{moment.microsecond:06d}000"[:digits]
    text = moment.isoformat()[:19].replace("T", between) + (dot + fraction if digits else "")
    event = decode(record(time=text + offset))
    micro = int(fraction[:6].ljust(6, "0"))
    assert event.time == moment.replace(microsecond=micro).timestamp()
    assert dt.datetime.fromisoformat(event.time_text.upper()) == moment.replace(microsecond=micro)


@given(st.text(st.sampled_from("0123456789-:+.,TZ []Eeutc"), max_size=40))
def test_a_text_is_a_time_within_the_calendar_or_none(text: str) -> None:
    read = TimeReader()(text)
    if read is not None:
        assert abs(dt.datetime.fromisoformat(read[1].upper()).timestamp() - read[0]) < 1e-5


def test_a_local_time_is_read_only_in_the_zone_that_the_config_names() -> None:
    istanbul = TimeReader("auto", "Europe/Istanbul")
    for text in ("2026-11-22T18:37:07", "2026-11-22 18:37:07", "20261122T183707"):
        assert TimeReader()(text) is None
        assert istanbul(text) == (EPOCH, "2026-11-22T15:37:07Z")
    assert istanbul("2026-11-22T18:37:07.5") == (EPOCH + 0.5, "2026-11-22T15:37:07.5Z")
    assert istanbul("2026-11-22T15:37:07Z") == (EPOCH, TIME)
    assert istanbul("0001-01-01T00:00:00") is None


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-03-29T02:30:00", "2026-03-29T01:30:00Z"),
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00Z"),
        ("1890-01-01T00:00:00", "1889-12-31T23:06:32Z"),
    ],
    ids=["a time that is skipped", "the first of a time that comes twice", "local mean time"],
)
def test_a_change_of_the_clocks_makes_no_time_unreadable(text: str, utc: str) -> None:
    read = TimeReader("auto", "Europe/Berlin")(text)
    assert read is not None
    assert read[1] == utc


def test_a_time_far_ahead_of_the_clock_is_refused_where_there_is_one() -> None:
    ahead = rfc3339(EPOCH + MAX_AHEAD)
    payload = Payload(orjson.loads(record(time=ahead)))
    assert DECODER.identify(payload, EPOCH).time == EPOCH + MAX_AHEAD
    assert DECODER.identify(payload).time == EPOCH + MAX_AHEAD
    with pytest.raises(EventError, match="at most 86400 s ahead of the clock") as caught:
        DECODER.identify(payload, EPOCH - 0.001)
    assert caught.value.reason is DeadLetterReason.BAD_TIME


@given(st.integers(946684800000, 4102444799999))
def test_epoch_milliseconds_survive_the_text(milliseconds: int) -> None:
    event = decode(record(time=milliseconds))
    assert decode(record(time=event.time_text)).time == event.time == milliseconds / 1000


@pytest.mark.parametrize(
    ("event_id", "text"),
    [(7, "7"), (-(2**63), str(-(2**63))), ("x" * 256, "x" * 256), ("é ü", "é ü")],
)
def test_ids_are_printable_text_or_integers(event_id: object, text: str) -> None:
    assert decode(record(event_id=event_id)).id == text


def test_a_bad_path_is_refused_when_the_decoder_is_made() -> None:
    with pytest.raises(ValueError, match="position 3"):
        EventDecoder(decode_json, "id.", "time", 10)


@given(st.binary(max_size=60))
def test_bytes_are_an_event_or_a_dead_letter(value: bytes) -> None:
    with pytest.raises(EventError):
        decode(value)


# ---- formats -------------------------------------------------------------------------------


def decode_named_by_header(record: InputRecord) -> Payload:
    """A format whose records hold a time alone: all else stands beside the value."""
    key, headers, timestamp, _ = record.read_envelope()
    return Payload(
        {
            "id": (key or b"").decode(),
            "at": {"time": timestamp},
            "topic": record.topic,
            **{name: (value or b"").decode() for name, value in headers},
        }
    )


def test_a_format_is_given_the_whole_record() -> None:
    envelope = RecordEnvelope(b"t-7", [("ce-type", b"purchase")], round(EPOCH * 1000))
    decoder = EventDecoder(decode_named_by_header, "id", "at.time", 1000)
    event = decoded(decoder, InputRecord("pos", 0, 0, b"\x00", lambda: envelope))
    assert (event.id, event.time, event.raw) == ("t-7", EPOCH, b"")
    assert event.body["ce-type"] == "purchase"
    assert event.body["topic"] == "pos"


def test_json_does_not_read_what_stands_beside_the_value() -> None:
    def unread() -> RecordEnvelope:
        raise AssertionError("reading headers costs as much as decoding")

    assert decoded(DECODER, InputRecord("pos", 0, 0, record(), unread)).id == "t-1"


@pytest.mark.parametrize("format_name", sorted((*FORMATS, *SCHEMA_FORMATS)))
def test_a_registered_format_is_one_that_a_config_may_name(format_name: str) -> None:
    entry = {"topics": ["pos"], "format": format_name}
    assert Input.model_validate_json(orjson.dumps(entry)).format == format_name


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    entry = {"topics": ["pos"], "format": "xml"}
    with pytest.raises(ValidationError) as refused:
        Input.model_validate_json(orjson.dumps(entry))
    (error,) = refused.value.errors()
    *names, last = (f"'{name}'" for name in (*FORMATS, *SCHEMA_FORMATS))
    assert error["ctx"] == {"expected": f"{', '.join(names)} or {last}"}


def test_the_time_of_a_record_without_an_event_is_0() -> None:
    skipping = EventDecoder(decode_json, "id", "at.time", 1000, skip_tombstones=True)
    assert DECODER.event_time(InputRecord("pos", 0, 0, record())) == EPOCH
    assert DECODER.event_time(InputRecord("pos", 0, 0, b"{")) == 0.0
    assert skipping.event_time(InputRecord("pos", 0, 0, None)) == 0.0
