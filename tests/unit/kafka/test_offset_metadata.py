"""The register of inputs that the group has read: its forms, its bounds, what it keeps."""

from __future__ import annotations

import base64
import zlib

import pytest
import structlog
from confluent_kafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from consumer.kafka.offset_metadata import (
    MARK_LIMIT,
    halted,
    halted_by,
    id_in,
    id_start,
    mark,
    register,
    registered,
)
from consumer.kafka.stopped_partitions import StoppedPartition, StopReason, memory_problem

TOPIC_IDS = st.binary(min_size=16, max_size=16).map(
    lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")
)
INPUTS = st.dictionaries(st.text(min_size=1, max_size=20), TOPIC_IDS, max_size=60)


def own(metadata: str) -> TopicPartition:
    return TopicPartition("app.replayed", 0, 0, metadata)


@given(now=INPUTS, former=INPUTS)
def test_inputs_that_left_the_config_stay_in_the_register(
    now: dict[str, str], former: dict[str, str]
) -> None:
    committed = own(register(now, register(former)))
    for topic, ident in {**former, **now}.items():
        assert registered(committed, topic) == id_start(ident)


@given(old=INPUTS, new=INPUTS)
def test_a_replica_with_an_older_config_erases_nothing(
    old: dict[str, str], new: dict[str, str]
) -> None:
    """During a rolling deploy the register is written by replicas of both configs in turn."""
    text = register(old)
    for ids in (new, old, new, old):
        text = register(ids, text)
    assert all(registered(own(text), topic) for topic in {**old, **new})


def test_the_form_of_an_older_version_is_read_and_carried_over() -> None:
    entry = f"{zlib.crc32(b'web'):08x}=yq7Nf0oVQbi9mzv5iTgw3A"
    former = f"inputs {entry} 83e1b1f5=Zk3bq8Q1TkSG3WJ2lXo7Rg"
    assert registered(own(former), "web") == "yq7Nf0"
    carried = register({"pos": "AAAAAAAAAAEAAAAAAAAAAg"}, former)
    assert registered(own(carried), "web") == "yq7Nf0"
    assert registered(own(carried), "pos") == "AAAAAA"
    assert len(carried) == len("read ") + 3 * 12


def test_what_does_not_fit_is_dropped_oldest_first_and_said() -> None:
    ids = {f"topic-{number}": f"id-{number:04d}" + "x" * 15 for number in range(400)}
    present = {name: ids[name] for name in list(ids)[:10]}
    full = register({name: ids[name] for name in list(ids)[10:350]})
    assert len(full) == len("read ") + 340 * 12 <= MARK_LIMIT
    with structlog.testing.capture_logs() as said:
        text = register(present, full)
    assert [(line["event"], line["number"]) for line in said] == [("inputs_forgotten", 10)]
    assert len(text) <= MARK_LIMIT
    assert all(registered(own(text), name) == id_start(ids[name]) for name in present)


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=200))
def test_foreign_metadata_names_no_input_and_raises_nothing(text: str) -> None:
    """Tools write metadata of their own, or none."""
    for metadata in (text, "read " + text, "inputs " + text):
        assert register({}, metadata).startswith("read ")
        registered(own(metadata), "web")


def test_a_halted_offset_keeps_its_topics_id_and_names_the_config() -> None:
    marked = halted(mark("abc"), "v1")
    assert (id_in(marked), halted_by(own(marked))) == ("abc", "v1")
    assert halted(marked, "v2") == halted(mark("abc"), "v2")
    assert halted_by(own(mark("abc"))) is None


def test_an_offset_of_a_topic_without_a_known_id_can_be_halted() -> None:
    marked = halted(mark(None), "v1")
    assert (id_in(marked), halted_by(own(marked))) == (None, "v1")


@pytest.mark.parametrize(("version", "stands"), [("v1", True), ("v2", False), ("", False)])
def test_an_offset_is_halted_under_one_config_only(version: str, stands: bool) -> None:
    found = TopicPartition("pos", 0, 5, halted(mark("abc"), "v1"))
    problem = memory_problem(found, {("pos", 0): found}, "abc", id_start("abc"), version)
    expected = StoppedPartition("pos", 0, 5, StopReason.UNREADABLE)
    assert problem == (expected if stands else None)
    assert not expected.whole_topic
    assert expected.command.startswith("survey-dispatcher dlq continue pos")
