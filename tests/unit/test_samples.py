"""Records of an earlier program are read, and it can read ours: upgrades and rollbacks.

`tests/samples/v1` holds records as the first program wrote them, and its schemas. They are never
regenerated: a record that breaks one of these tests needs a new version. Invitations have one since
(2), which the first program delays: a rollback loses none, and the next upgrade reads them.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from confluent_kafka import Producer
from jsonschema import Draft202012Validator

from consumer.errors import KafkaSessionError, UnreadableRecord
from consumer.kafka.records.checkpoints import claim
from consumer.records.checkpoint import Checkpoint, Owner, Tried
from consumer.records.fields import RECORD_VERSION
from consumer.records.invitation import INVITATION_VERSION, encode_invitation
from consumer.records.readers import read_checkpoint, read_invitation, read_result
from tests.support.lanes import NOW, lane

SAMPLES = Path(__file__).parents[1] / "samples" / "v1"
LATER = {"a_key_of_a_later_version": {"nested": [1]}}
READERS: Mapping[str, Callable[[bytes], object]] = {
    "invitation": read_invitation,
    "result": read_result,
    "checkpoint": read_checkpoint,
}


def sample(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((SAMPLES / f"{name}.json").read_text()))


def old_schema(name: str) -> Draft202012Validator:
    """What the first program, and readers of its topics, take for such a record."""
    schema = json.loads((SAMPLES / "schemas" / f"{name}.schema.json").read_text())
    return Draft202012Validator(schema)


@pytest.mark.parametrize("name", ["invitation", "result"])
def test_a_record_of_the_first_program_is_read_as_it_was(name: str) -> None:
    assert READERS[name](orjson.dumps(sample(name))) == sample(name)


def test_a_checkpoint_of_the_first_program_is_restored_whole() -> None:
    """It has calls in flight, settled offsets and a quota log; what it lacks begins empty."""
    old = sample("checkpoint")
    read = Checkpoint.model_validate_json(orjson.dumps(old))
    assert (read.in_flight, read.done, read.permit_log) != ((), "", ())
    assert old.items() <= read.model_dump(mode="json").items()
    assert (read.closed_until, list(read.tried), list(read.owners)) == (0.0, [], [])


def test_a_lane_goes_on_from_a_checkpoint_of_the_first_program() -> None:
    """Its base, what was settled out of order behind it, and the batches in doubt."""
    old = Checkpoint.model_validate(sample("checkpoint"))
    now = lane(checkpoint=old).checkpoint(NOW)
    assert (now.base, settled(now)) == (9, settled(old))
    assert settled(old) == bytes([0b00111000])  # offsets 12, 13 and 14
    assert [each.batch_id for each in now.in_flight] == [each.batch_id for each in old.in_flight]


def settled(checkpoint: Checkpoint) -> bytes:
    """The bitmap from `base` on, read as the first program wrote it."""
    return zlib.decompress(base64.b64decode(checkpoint.done)).rstrip(b"\0")


@pytest.mark.parametrize("name", READERS)
def test_keys_of_a_later_program_are_passed_over(name: str) -> None:
    """So that it can add some without a new version: after a rollback this one reads them."""
    old, later = sample(name), {**sample(name), **LATER}
    kept = LATER if name == "invitation" else {}  # it is written again when it is delayed
    read = READERS[name](orjson.dumps(old))
    assert READERS[name](orjson.dumps(later)) == (cast("Any", read) | kept if kept else read)


@pytest.mark.parametrize("name", READERS)
def test_a_later_version_is_refused_by_name(name: str) -> None:
    version = INVITATION_VERSION if name == "invitation" else RECORD_VERSION
    later = {**sample(name), "version": version + 1}
    with pytest.raises(UnreadableRecord, match="version"):
        READERS[name](orjson.dumps(later))


def ours(name: str) -> dict[str, Any]:
    """The sample as this program would write it, with all that is optional."""
    record = sample(name)
    if name == "result":
        return {**record, "resend_of": "i"}
    read = Checkpoint.model_validate(record)
    owner = Owner(instance="0", config_version="v", at=1.0)
    tried = Tried(attempt=1, first=0, offsets="")
    new = {"closed_until": 2.0, "owners": (owner,), "tried": (tried,)}
    return read.model_copy(update=new).model_dump(mode="json")


@pytest.mark.parametrize("name", ["result", "checkpoint"])
def test_the_first_programs_schema_takes_what_this_one_writes(name: str) -> None:
    """What it needs is all there, in the form that it knows; what is new it passes over."""
    assert list(old_schema(name).iter_errors(ours(name))) == []
    assert set(sample(name)) <= set(ours(name))


def test_the_first_program_delays_an_invitation_of_this_one_and_counts_on() -> None:
    """It takes an object of a later version whose `attempt` and `delays` are whole numbers."""
    made = read_invitation(orjson.dumps(sample("invitation")))
    record = orjson.loads(encode_invitation({**made, "attempt": 1, "delays": 2}))
    assert not old_schema("invitation").is_valid(record)
    assert (record["version"], record["attempt"], record["delays"]) == (2, 1, 2)
    back = {**record, "attempt": 2, "delays": 3, "due_at": 1.5}  # as it writes it
    counted = {"version": 2, "attempt": 2, "delays": 3, "due_at": 1.5}
    happened = record["event_at"]
    assert read_invitation(orjson.dumps(back)) == {**made, **counted, "event_at": happened}


@pytest.mark.parametrize("name", ["result", "checkpoint"])
def test_the_first_programs_schema_misses_what_it_needs(name: str) -> None:
    """It is no schema that takes everything."""
    for key in sample(name):
        lacking = {known: value for known, value in ours(name).items() if known != key}
        assert not old_schema(name).is_valid(lacking)


@pytest.mark.parametrize("name", [*READERS, "claim"])
def test_every_record_says_its_version(name: str) -> None:
    assert sample(name)["version"] == RECORD_VERSION


class Recorder:
    """A producer that keeps what is produced in its transaction, and delivers at once or never."""

    def __init__(self, offset: int | None) -> None:
        self.offset_ = offset
        self.produced: list[tuple[str, bytes, str, int]] = []

    def begin_transaction(self) -> None:
        """Nothing to begin."""

    def produce(
        self, topic: str, value: bytes, key: str, partition: int, on_delivery: Callable[..., None]
    ) -> None:
        self.produced.append((topic, value, key, partition))
        on_delivery(None, self)

    def offset(self) -> int | None:
        return self.offset_

    def flush(self, _: float) -> int:
        return 0

    def commit_transaction(self, _: float) -> None:
        """Definite at once."""


def test_a_claim_is_written_as_the_first_program_did_and_its_offset_is_the_epoch() -> None:
    recorder = Recorder(offset=17)
    epoch = claim(cast("Producer", recorder), "checkpoints", "pisano", lambda: False)
    ((topic, value, key, partition),) = recorder.produced
    assert (epoch, topic, key, partition) == (17, "checkpoints", "pisano/claim", 0)
    assert json.loads(value) == sample("claim")


def test_a_claim_without_an_offset_is_none() -> None:
    """An unknown offset must never pass for 0: all checkpoints would lie behind it."""
    with pytest.raises(KafkaSessionError, match="not delivered"):
        claim(cast("Producer", Recorder(None)), "checkpoints", "pisano", lambda: False)
