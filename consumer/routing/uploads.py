"""Reads an uploaded row: the event that routes see, and what the row says beside it."""

from __future__ import annotations

from typing import Final

import msgspec

from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord
from consumer.records.upload import MAX_WAIT, Upload
from consumer.routing.decoding.decode import MAX_AHEAD, Event
from consumer.routing.decoding.times import TimeReader

_decode: Final = msgspec.json.Decoder(Upload).decode
_read_time: Final = TimeReader()


def read_upload(record: InputRecord, now: float) -> tuple[Upload, Event]:
    """Return the row of a record, and its event. Raises EventError."""
    try:
        upload = _decode(record.value or b"")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        upload = None
    if upload is None:  # outside the handler: the error repeats what it found
        expected = "expected a row as `send-csv` of this version writes it"
        raise EventError(DeadLetterReason.BAD_UPLOAD, expected)
    if upload.not_before - now > MAX_WAIT + MAX_AHEAD:
        expected = f"expected a time to wait for at most {MAX_WAIT / 86_400:.0f} days ahead"
        raise EventError(DeadLetterReason.BAD_UPLOAD, expected)
    read = _read_time(upload.time)
    if read is None or read[0] - max(now, upload.not_before) > MAX_AHEAD:
        expected = "expected an RFC 3339 time with its offset, at most a day ahead"
        raise EventError(DeadLetterReason.BAD_TIME, expected)
    return upload, Event(upload.event, upload.id, *read, b"")
