"""The records that travel: closed lists, versions that a reader refuses, times."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from consumer.records.checkpoint import Checkpoint
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.fields import rfc3339
from consumer.records.invitation import InvitationReader, RecordReader, encode_invitation
from consumer.records.result import Reason, ResultReader, Status

SOURCE = {"topic": "pos", "partition": 0, "offset": 1}
INVITATION: dict[str, Any] = {
    "version": 1,
    "id": "i",
    "event_id": "e",
    "event_time": "2026-11-22T15:37:07Z",
    "routed_at": "2026-11-22T15:37:08.000Z",
    "expires_at": None,
    "route": "r",
    "campaign": "c",
    "pseudonym": "k1:x",
    "address": {"email": "a@b.org"},
    "data": {"firstName": "A", "metadata": {"n": "1"}},
    "config_version": "v",
    "source": SOURCE,
}
RECORD: dict[str, Any] = orjson.loads(encode_invitation(INVITATION))  # type: ignore[arg-type]
RESULT: dict[str, Any] = {
    "version": 1,
    "id": "i",
    "event_id": "e",
    "status": "accepted",
    "reason": "accepted",
    "route": "r",
    "campaign": "c",
    "vendor": "v",
    "channel": "sms",
    "batch": "b",
    "attempt": 1,
    "http_status": 200,
    "vendor_code": None,
    "vendor_message": None,
    "recipient": "k1:x",
    "event_time": "2026-11-22T15:37:07Z",
    "routed_at": "2026-11-22T15:37:08.000Z",
    "sent_at": "2026-11-22T15:37:09.000Z",
    "answered_at": "2026-11-22T15:37:10.000Z",
    "config_version": "v",
    "source": SOURCE,
}
CHECKPOINT: dict[str, Any] = {
    "version": 1,
    "lane": "cloud",
    "topic_id": None,
    "base": 0,
    "done": "",
    "in_flight": [
        {"batch_id": "b", "campaign": "c", "attempt": 1, "sealed_at": 1, "first": 0, "offsets": ""}
    ],
    "permit_log": [1.5],
    "config_version": "v",
}


def test_every_status_has_a_reason() -> None:
    assert set(Status) == {reason.status for reason in Reason}


@pytest.mark.parametrize("reason", [*Reason, *DeadLetterReason])
def test_a_reason_is_its_value_everywhere_and_says_what_it_means(
    reason: Reason | DeadLetterReason,
) -> None:
    assert str(reason) == reason == reason.value == f"{reason}"
    assert orjson.loads(orjson.dumps({"reason": reason})) == {"reason": reason.value}
    assert reason.meaning.endswith(".")
    assert copy.deepcopy(reason) is reason
    assert pickle.loads(pickle.dumps(reason)) is reason  # noqa: S301 - our own bytes


def test_no_result_has_the_reason_of_a_dead_letter() -> None:
    assert not {*map(str, Reason)} & {*map(str, DeadLetterReason)}


@pytest.mark.parametrize(
    ("reader", "record"),
    [(InvitationReader, INVITATION), (RecordReader, RECORD), (ResultReader, RESULT)],
)
def test_a_record_is_read_as_it_was_written(
    reader: TypeAdapter[dict[str, Any]], record: dict[str, Any]
) -> None:
    assert reader.validate_json(orjson.dumps(record)) == record


def test_a_result_is_read_with_its_status_and_reason() -> None:
    result = ResultReader.validate_json(orjson.dumps(RESULT))
    assert (result["status"], result["reason"]) == (Status.ACCEPTED, Reason.ACCEPTED)
    assert type(result["reason"]) is Reason


@pytest.mark.parametrize(
    ("reader", "record", "key", "value"),
    [
        (InvitationReader, INVITATION, "version", 3),
        (RecordReader, RECORD, "version", 1),
        (RecordReader, RECORD, "result", {"id": "i"}),
        (InvitationReader, INVITATION, "id", None),
        (InvitationReader, INVITATION, "expires_at", "tomorrow"),
        (InvitationReader, INVITATION, "data", {"a": {"b": {"c": "d"}}}),
        (InvitationReader, INVITATION, "source", {"topic": "pos"}),
        (ResultReader, RESULT, "version", 2),
        (ResultReader, RESULT, "status", "lost"),
        (ResultReader, RESULT, "reason", "because"),
        (ResultReader, RESULT, "attempt", None),
    ],
)
def test_another_version_or_form_is_refused(
    reader: TypeAdapter[object], record: dict[str, Any], key: str, value: object
) -> None:
    with pytest.raises(ValidationError, match=key):
        reader.validate_json(orjson.dumps({**record, key: value}))


@pytest.mark.parametrize(
    "reader_of", [(InvitationReader, INVITATION), (RecordReader, RECORD), (ResultReader, RESULT)]
)
def test_every_key_of_a_record_is_needed(
    reader_of: tuple[TypeAdapter[object], dict[str, Any]],
) -> None:
    reader, record = reader_of
    for key in record:
        with pytest.raises(ValidationError, match=key):
            reader.validate_python({k: v for k, v in record.items() if k != key})


def test_a_checkpoint_survives_being_written_and_ignores_what_it_does_not_know() -> None:
    read = Checkpoint.model_validate_json(orjson.dumps({**CHECKPOINT, "later": 1}))
    assert Checkpoint.model_validate_json(read.model_dump_json()) == read
    assert read.model_dump(mode="json") == {
        **CHECKPOINT,
        "permit_log_reach": 0,
        "quota": None,
        "unknown_until": 0,
        "at": 0,
        "closed_until": 0,
        "limits_part": 1,
        "limits_since": 0,
        "tried": [],
        "owners": [],
        "bursts": None,
    }


@pytest.mark.parametrize("version", [0, 2])
def test_a_checkpoint_of_an_unknown_version_is_refused(version: int) -> None:
    with pytest.raises(ValidationError, match="version"):
        Checkpoint.model_validate({**CHECKPOINT, "version": version})


@pytest.mark.parametrize(
    ("when", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_795_361_827.123, "2026-11-22T15:37:07.123Z"),
        (1_795_361_827.9999, "2026-11-22T15:37:07.999Z"),
        (-0.001, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_a_time_is_utc_with_milliseconds(when: float, text: str) -> None:
    assert rfc3339(when) == text


@given(st.floats(0, 4_102_444_800))
def test_a_time_is_never_rounded_up_and_loses_less_than_a_millisecond(when: float) -> None:
    read = dt.datetime.fromisoformat(rfc3339(when)).timestamp()
    assert -1e-6 < when - read < 0.001 + 1e-6  # fromtimestamp itself rounds to microseconds


@given(st.floats(0, 4_102_444_800), st.floats(0, 4_102_444_800))
def test_the_order_of_times_is_the_order_of_their_texts(one: float, other: float) -> None:
    assert (rfc3339(min(one, other))) <= rfc3339(max(one, other))
