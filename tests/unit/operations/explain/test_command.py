"""The command `explain`: where its event comes from, and what it refuses."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from consumer.cli.main import app
from consumer.config.load import load
from consumer.contacts.book import ContactBook
from consumer.operations.contacts.identities import pseudonyms_by_identity
from consumer.operations.explain.event_source import RecordPlace, place_of
from consumer.policy.contacts.history import Facts
from consumer.policy.contacts.request import Request
from consumer.policy.contacts.settling import Settled
from consumer.wiring.contact_store import open_store
from consumer.wiring.contacts import build_contact_rules
from tests.unit.operations.explain.cases import FOLDER

SHOP, INPUTS = (FOLDER / "configs" / f"{name}.yaml" for name in ("shop", "inputs"))
EVENT = {"id": "1", "time": "2026-11-23T10:00:00Z", "channel": "none"}


def explain(*words: str | Path, config: str | Path = SHOP, text: str = "") -> Result:
    given = ["explain", *map(str, words), "-c", str(config)]
    return CliRunner().invoke(app, given, input=text)


def test_an_event_comes_by_standard_input() -> None:
    done = explain("-", "--json", text=json.dumps(EVENT))
    assert json.loads(done.stdout)["event"]["id"] == "1"


def test_without_a_time_it_is_now(tmp_path: Path) -> None:
    (path := tmp_path / "event.json").write_text(json.dumps(EVENT))
    assert json.loads(explain(path, "--json").stdout)["at"] > "2026"


def test_a_missing_file_says_what_was_expected() -> None:
    done = explain("nowhere.json")
    assert "nowhere.json cannot be read: No such file or directory" in str(done.exception)
    assert "TOPIC:PARTITION:OFFSET" in str(done.exception)


def test_of_several_inputs_one_must_be_named() -> None:
    ambiguous = explain("-", config=INPUTS, text="{}")
    assert "say with --input which input's event it is: pos, web" in str(ambiguous.exception)
    unknown = explain("-", "--input", "shop", config=INPUTS, text="{}")
    assert "no input shop in the config; there are: pos, web" in str(unknown.exception)


def test_event_and_config_cannot_both_be_standard_input() -> None:
    done = explain("-", config="-", text="{}")
    assert done.exit_code == 2
    assert "cannot both be standard input" in done.output


@pytest.mark.parametrize("text", ["yesterday", "2026-11-23"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    done = explain("-", "--at", text, text="{}")
    assert done.exit_code == 2
    assert "--at" in done.output


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("pos.sales:3:41822", RecordPlace("pos.sales", 3, 41822)),
        ("pos:3", None),
        ("pos:3:x", None),
        ("pos:-1:0", None),
        ("a/b:1:2", None),
        ("event.json", None),
    ],
)
def test_a_place_has_three_parts(text: str, place: RecordPlace | None) -> None:
    assert place_of(text) == place


def test_a_file_that_is_called_like_a_place_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pos:0:1").write_text(json.dumps(EVENT))
    assert place_of("pos:0:1") is None
    assert json.loads(explain("pos:0:1", "--json").stdout)["decision"] == "unmatched"


NPS = EVENT | {"kind": "exempt", "customer": {"id": "c-1", "phone": "+905321234567"}}


def stored_config(folder: Path) -> Path:
    """The sample with contact rules, whose store is in this folder and whose route obeys them."""
    text = (FOLDER / "configs" / "contacts.yaml").read_text()
    text = text.replace("contacts.sqlite", str(folder / "contacts.sqlite"))
    (path := folder / "routing.yaml").write_text(text.replace("contact: exempt", "contact: obey"))
    return path


def ask_once(config: Path, identity: str) -> None:
    """Write a survey of now under a person's identity into the store."""
    loaded = load(config, env={})
    ((person,),) = pseudonyms_by_identity(loaded, [identity], None)
    with closing(open_store(loaded, time.time)) as store:
        book = ContactBook(store, build_contact_rules(loaded))
        facts = Facts("exempt", "sms", "sms", "pisano", ("nps",))
        asked = Request("of-before", (person,), time.time(), facts)
        book.settle([Settled(asked, "sent", time.time())], {("results", 0): 1}, {("results", 0): 0})


def test_with_the_store_a_history_decides(tmp_path: Path) -> None:
    config, words = stored_config(tmp_path), ("-", "--json", "--at", EVENT["time"])
    told = json.loads(explain(*words, "--store", config=config, text=json.dumps(NPS)).stdout)
    assert told["decision"] == "invite"
    ask_once(config, "id:c-1")
    told = json.loads(explain(*words, "--store", config=config, text=json.dumps(NPS)).stdout)
    assert (told["decision"], told["reason"]) == ("suppressed", "contact_limit")
    without = json.loads(explain(*words, config=config, text=json.dumps(NPS)).stdout)
    assert without["decision"] == "invite"


def test_without_a_store_it_is_refused() -> None:
    done = explain("-", "--store", text=json.dumps(EVENT))
    assert "the config has no `contacts`, so there is no store" in str(done.exception)
