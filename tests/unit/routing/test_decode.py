"""Decoding: an event, or the dead letter's reason in words that carry nothing of the event."""

from __future__ import annotations

import datetime as dt
import traceback
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.errors import EventError
from consumer.model import DeadLetterReason
from consumer.routing.decode import Decoder

DECODER = Decoder("id", "at.time", 1000)
TIME = "2026-11-22T15:37:07Z"
EPOCH = 1795361827.0


def record(event_id: object = "t-1", time: object = TIME) -> bytes:
    return orjson.dumps({"id": event_id, "at": {"time": time}, "phone": "SECRET"})


def refusal(value: bytes | None) -> EventError:
    with pytest.raises(EventError) as caught:
        DECODER.decode(value)
    return caught.value


def test_an_event_is_its_body_id_and_time() -> None:
    event = DECODER.decode(record())
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
        "2026-11-22T15:37:07",
        "2026-11-22 15:37:07Z",
        "2026-11-22T15:37Z",
        "20261122T153707Z",
        "2026-W47-7T15:37:07Z",
        "2026-11-22T15:37:07+0300",
        "2026-11-22T15:37:07+03",
        "2026-11-22T15:37:07+24:00",
        "2026-11-22T15:37:07+03:60",
        "2026-11-22T15:37:07,5Z",
        "2026-11-22T15:37:07.Z",
        "2026-11-22T15:37:07.1234567891Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T15:60:07Z",
        "2016-12-31T23:59:60Z",
        "2026-02-30T15:37:07Z",
        "0000-01-01T00:00:00Z",
        "２026-11-22T15:37:07Z",
        "2026-11-22T15:37:07Z\n",
        " 2026-11-22T15:37:07Z",
        "1795361827000",
        True,
        1795361827000.0,
        1795361827,
        1795361827000000,
        946684799999,
        4102444800000,
        -1,
        {},
    ],
)
def test_a_time_that_is_not_rfc_3339_with_offset_nor_epoch_ms_is_refused(time: object) -> None:
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
    ],
)
def test_a_time_is_kept_as_it_came_or_formatted(time: Any, seconds: float, text: str) -> None:
    event = DECODER.decode(record(time=time))
    assert (event.time, event.time_text) == (seconds, text)


@given(st.datetimes(timezones=st.timezones().map(lambda _: dt.UTC)), st.integers(-1439, 1439))
def test_every_rfc_3339_time_is_read(moment: dt.datetime, minutes: int) -> None:
    sign, away = "-" if minutes < 0 else "+", abs(minutes)
    text = f"{moment.isoformat()[:19]}{sign}{away // 60:02d}:{away % 60:02d}"
    expected = moment.replace(microsecond=0).timestamp() - minutes * 60
    assert DECODER.decode(record(time=text)).time == expected


@given(st.integers(946684800000, 4102444799999))
def test_epoch_milliseconds_survive_the_text(milliseconds: int) -> None:
    event = DECODER.decode(record(time=milliseconds))
    assert DECODER.decode(record(time=event.time_text)).time == event.time == milliseconds / 1000


@pytest.mark.parametrize(
    ("event_id", "text"),
    [(7, "7"), (-(2**63), str(-(2**63))), ("x" * 256, "x" * 256), ("é ü", "é ü")],
)
def test_ids_are_printable_text_or_integers(event_id: object, text: str) -> None:
    assert DECODER.decode(record(event_id=event_id)).id == text


def test_a_bad_path_is_refused_when_the_decoder_is_made() -> None:
    with pytest.raises(ValueError, match="position 3"):
        Decoder("id.", "time", 10)


@given(st.binary(max_size=60))
def test_bytes_are_an_event_or_a_dead_letter(value: bytes) -> None:
    with pytest.raises(EventError):
        DECODER.decode(value)
