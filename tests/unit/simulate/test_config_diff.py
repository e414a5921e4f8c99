"""`diff`: events that another config decides otherwise, by what changes."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
from typer.testing import CliRunner

from consumer.cli.main import app
from consumer.config.load import load
from consumer.records.input_record import InputRecord
from consumer.simulate.config_diff import diff
from tests.unit.operations.explain.cases import FOLDER

TEXT = (FOLDER / "configs" / "trips.yaml").read_text()
BEFORE = load(TEXT, env={})


def trip(*phones: str) -> bytes:
    travellers = [{"adult": True, "phone": phone, "seat": "1A"} for phone in phones]
    event = {"id": "t-1", "time": "2026-11-23T10:00:00Z", "trip": "TK1", "travellers": travellers}
    return orjson.dumps(event)


RECORDS = [
    InputRecord("pos", 0, offset, value)
    for offset, value in enumerate([trip("+905321234567"), trip("none"), trip(), b"{"])
]


def changes(*edits: tuple[str, str]) -> dict[str, int]:
    text = TEXT
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    found = diff(BEFORE, load(text, env={}), RECORDS)
    assert found.events == len(RECORDS)
    assert found.changes.keys() == found.examples.keys()
    return found.changes


def test_the_same_rules_change_nothing() -> None:
    assert changes() == {}
    assert changes(("20/5s", "40/5s")) == {}


def test_a_change_is_named_by_the_parts_of_an_invitation() -> None:
    assert changes(("seat: $item.seat", "Seat: $item.seat")) == {
        "invite trip sms: data.custom_attributes.Seat, data.custom_attributes.seat": 1
    }


def test_a_change_is_named_by_both_decisions() -> None:
    assert changes(("input: pos\n", "input: pos\n    match: {trip: [TK2]}\n")) == {
        "invite trip sms → unmatched": 1,
        "rejected invalid_recipient trip → unmatched": 1,
        "rejected no_recipient trip → unmatched": 1,
    }
    skipping = ("format: json", "format: json, skip: {trip: [TK1]}")
    assert changes(skipping)["invite trip sms → skipped"] == 1


def test_a_topic_that_is_read_no_more_is_a_change() -> None:
    found = changes(("topics: [pos]", "topics: [other]"))
    assert found["invite trip sms → dead_letter no_input"] == 1


def test_the_command_shows_counts_and_an_example(tmp_path: Path) -> None:
    (old := tmp_path / "old.yaml").write_text(TEXT)
    (new := tmp_path / "new.yaml").write_text(TEXT.replace("[?adult]", "[?child]"))
    (events := tmp_path / "events.jsonl").write_bytes(trip("+905321234567"))
    words = ["diff", str(old), str(new), "--events", str(events)]
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, words).output
    assert "1 of 1 events are decided otherwise" in shown
    assert "pos:0:0" in shown
    assert "532" not in shown
    told = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    change = "invite trip sms → rejected no_recipient trip"
    assert told == {
        "events": 1,
        "changes": [{"change": change, "events": 1, "example": "pos:0:0"}],
    }
    same = CliRunner().invoke(app, ["diff", str(old), str(old), "--events", str(events)])
    assert same.stdout == "0 of 1 events are decided otherwise\n"
    assert CliRunner().invoke(app, words[:3]).exit_code == 2
