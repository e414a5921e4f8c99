"""What records of feeds say of persons, in doubt more than less."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.config import load
from consumer.errors import EventError
from consumer.policy.contacts.history import Facts
from consumer.records.contact_record import (
    AnswerRecord,
    SuppressionRecord,
    encode_contact_record,
    read_contact_record,
)
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord
from consumer.routing.feeds import MAX_FEED_BYTES, Feed, FeedEntry, FeedKind
from consumer.routing.recipients.recipients import make_pseudonymiser
from consumer.wiring.feeds import answer_facts, build_feeds

NOW = 1_795_361_827.0
DAY = 86_400.0
NEW, OLD = make_pseudonymiser("k2", b"n" * 16), make_pseudonymiser("k1", b"o" * 16)
PHONE = "+905321234567"

CONFIG = """
version: 1
application_id: surveys
kafka: {bootstrap.servers: "localhost:9092"}
pseudonym: {key_id: k2, key: nnnnnnnnnnnnnnnn, previous: [{key_id: k1, key: oooooooooooooooo}]}
quotas: {cloud: {limits: [20/5s]}}
vendors:
  pis: {type: pisano, base_url: "https://p.example", token: t, quota: cloud}
campaigns:
  sms-survey: {vendor: pis, channel: sms, id: a}
inputs: {pos: {topics: [pos], format: json, person: {id: id}}}
contacts: {store: {type: sqlite, path: contacts.sqlite}}
tables: {scopes: {file: scopes.csv, key: code}}
feeds: %s
routes:
  - {name: store, input: pos, tags: [nps], recipient: {phone: phone}, send: [sms-survey]}
"""
SUPPRESSIONS = {
    "topics": ["crm"],
    "address": "address",
    "person": {"id": "customer", "email": "mail"},
    "phone_region": "TR",
    "time": "at",
    "scope": "scope",
    "until": "until",
    "remove": "status == 'OPT_IN'",
}
RESPONSES = {
    "topics": ["answers"],
    "person": {"id": "customer"},
    "route": "route",
    "campaign": "campaign",
}
DELIVERIES = {
    "topics": ["receipts"],
    "address": "to",
    "person": {"id": "customer"},
    "hard_bounce": "status == 'INVALID'",
}


def config_text(feeds: dict[str, Any]) -> str:
    """A config with these feeds."""
    return CONFIG % orjson.dumps(feeds).decode()


def feed(folder: Path, name: str, section: dict[str, Any]) -> Feed:
    """The only feed of a config."""
    (folder / "scopes.csv").write_text("code,scope\n7,sms\n")
    feeds = build_feeds(load(config_text({name: section}), env={}, base=folder))
    ((found,),) = feeds.values()
    return found


def read(found: Feed, appended_at: float | None = NOW - 60, **body: Any) -> FeedEntry:
    """Read one record."""
    return found.read(InputRecord("crm", 0, 0, orjson.dumps(body)), appended_at, NOW)


def said(entry: FeedEntry) -> set[tuple[Any, ...]]:
    """What suppression records say."""
    found = [record for record in entry.records if isinstance(record, SuppressionRecord)]
    assert len(found) == len(entry.records)
    return {(one.person, one.reason, one.scope, one.removed) for one in found}


@pytest.fixture
def suppressions(tmp_path: Path) -> Feed:
    """The feed of opt-outs."""
    return feed(tmp_path, "suppressions", SUPPRESSIONS)


def test_an_opt_out_is_written_for_each_identity_under_each_key(suppressions: Feed) -> None:
    entry = read(suppressions, address="0532 123 45 67", customer=7, mail="Ada@Example.COM")
    assert entry.kind is FeedKind.SUPPRESSED
    names = ("id:7", "Ada@example.com", PHONE)
    assert said(entry) == {
        (key(name), "opted_out", "", False) for name in names for key in (NEW, OLD)
    }
    assert {record.at for record in entry.records} == {NOW - 60}
    assert {record.source for record in entry.records} == {"suppressions"}


@pytest.mark.parametrize("address", ["ada@mail.example.com", PHONE, "+90 (532) 123 45 67"])
def test_an_address_may_be_of_either_kind(suppressions: Feed, address: str) -> None:
    persons = {record.person for record in read(suppressions, address=address).records}
    normal = address if "@" in address else PHONE
    assert persons == {NEW(normal), OLD(normal)}


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        (None, {""}),
        ("", {""}),
        ("all", {""}),
        ("sms", {"sms"}),
        ("SMS", {"sms"}),
        ("nps", {"nps"}),
        ("sms-survey", {"sms-survey"}),
        (["sms", "nps", "sms"], {"sms", "nps"}),
        ("fax", {""}),
        (["fax", "sms"], {"", "sms"}),
    ],
)
def test_a_scope_that_is_not_known_is_everything(
    suppressions: Feed, scope: object, scopes: set[str]
) -> None:
    entry = read(suppressions, address=PHONE, scope=scope)
    assert {scope for _, _, scope, _ in said(entry)} == scopes


def test_a_removal_allows_its_own_scope_and_no_other(suppressions: Feed) -> None:
    def scopes(scope: object) -> tuple[FeedKind, set[str]]:
        entry = read(suppressions, address=PHONE, scope=scope, status="OPT_IN", until="2027-01-01")
        assert all(removed for *_, removed in said(entry))
        return entry.kind, {scope for _, _, scope, _ in said(entry)}

    assert scopes(None) == (FeedKind.ALLOWED, {""})
    assert scopes(["sms", "fax"]) == (FeedKind.ALLOWED, {"sms"})
    assert scopes("fax") == (FeedKind.PASSED, set())


def test_no_scope_at_all_concerns_no_survey(suppressions: Feed) -> None:
    """Also without a person: nothing is said of one."""
    assert read(suppressions, scope=[]) == FeedEntry(FeedKind.PASSED)


@pytest.mark.parametrize("scope", [7, {"a": 1}, ["sms", 7], ["sms", ""], ["x"] * 21, True])
def test_a_scope_that_is_no_text_is_a_dead_letter(suppressions: Feed, scope: object) -> None:
    with pytest.raises(EventError) as caught:
        read(suppressions, address=PHONE, scope=scope)
    assert caught.value.reason is DeadLetterReason.BAD_SCOPE


def test_a_value_that_is_not_true_removes_nothing(tmp_path: Path) -> None:
    found = feed(tmp_path, "suppressions", SUPPRESSIONS | {"remove": "flag"})
    flags: tuple[object, ...] = (None, "true", 1, [1], {})
    for flag in flags:
        assert read(found, address=PHONE, flag=flag).kind is FeedKind.SUPPRESSED
    assert read(found, address=PHONE, flag=True).kind is FeedKind.ALLOWED


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        (None, None),
        ("2026-12-24T00:00:00Z", 1_798_070_400.0),
        ("soon", None),
        ("0001-01-01T00:00:00Z", 0.0),
        ("9999-12-31T23:59:59-12:00", None),
        ({"a": 1}, None),
    ],
)
def test_an_end_that_cannot_be_read_is_none(
    suppressions: Feed, until: object, expected: float | None
) -> None:
    for record in read(suppressions, address=PHONE, until=until).records:
        assert isinstance(record, SuppressionRecord)
        assert record.until == expected


@pytest.mark.parametrize(
    ("at", "appended_at", "expected"),
    [
        (None, NOW - 60, NOW - 60),
        (None, None, NOW),
        (None, NOW + 30, NOW),
        (NOW - 3600, NOW - 60, NOW - 3600),
        (NOW + 3600, NOW - 60, NOW),
        ("1905-01-01T00:00:00Z", NOW, 0.0),
    ],
)
def test_a_record_is_of_its_time_and_never_of_a_later_one(
    suppressions: Feed, at: object, appended_at: float | None, expected: float
) -> None:
    entry = read(suppressions, appended_at, address=PHONE, at=at)
    assert {record.at for record in entry.records} == {expected}


@pytest.mark.parametrize("at", ["yesterday", True, {"a": 1}, NOW + 2 * DAY])
def test_a_time_that_cannot_be_one_is_a_dead_letter(suppressions: Feed, at: object) -> None:
    with pytest.raises(EventError) as caught:
        read(suppressions, address=PHONE, at=at)
    assert caught.value.reason is DeadLetterReason.BAD_TIME


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, DeadLetterReason.EMPTY),
        (b"", DeadLetterReason.EMPTY),
        (b"{", DeadLetterReason.NOT_JSON),
        (b"[]", DeadLetterReason.NOT_OBJECT),
        (b"{}", DeadLetterReason.NO_PERSON),
        (b'{"address": "no number", "customer": " ", "mail": "no"}', DeadLetterReason.NO_PERSON),
        (b" " * (MAX_FEED_BYTES + 1), DeadLetterReason.TOO_LARGE),
    ],
)
def test_what_cannot_be_read_is_a_dead_letter(
    suppressions: Feed, value: bytes | None, reason: DeadLetterReason
) -> None:
    with pytest.raises(EventError) as caught:
        suppressions.read(InputRecord("crm", 0, 0, value), NOW, NOW)
    assert caught.value.reason is reason


def test_a_number_keeps_its_digits(suppressions: Feed) -> None:
    """As a route reads it, so that both have one pseudonym."""
    for text in ("12.50", "12345678901234567890123", "1e3"):
        value = b'{"customer": %s, "other": %s}' % (text.encode(), text.encode())
        entry = suppressions.read(InputRecord("crm", 0, 0, value), NOW, NOW)
        assert NEW(f"id:{text}") in {record.person for record in entry.records}


def test_a_table_says_what_a_code_means(tmp_path: Path) -> None:
    section = SUPPRESSIONS | {"scope": "lookup('scopes', code, 'scope')"}
    found = feed(tmp_path, "suppressions", section)
    assert {scope for *_, scope, _ in said(read(found, address=PHONE, code=7))} == {"sms"}


def test_without_optional_keys_all_is_forbidden_for_ever(tmp_path: Path) -> None:
    found = feed(tmp_path, "suppressions", {"topics": ["crm"], "person": {"household": "home"}})
    entry = read(found, home="H1", scope="sms", until="2027-01-01T00:00:00Z", status="OPT_IN")
    assert said(entry) == {(key("household:H1"), "opted_out", "", False) for key in (NEW, OLD)}


def test_an_answer_names_routes_and_campaigns_of_the_config(tmp_path: Path) -> None:
    found = feed(tmp_path, "responses", RESPONSES)
    entry = read(found, customer="7", route="store", campaign="sms-survey")
    assert (entry.kind, entry.route, entry.campaign) == (FeedKind.ANSWER, "store", "sms-survey")
    record = entry.records[0]
    assert isinstance(record, AnswerRecord)
    assert (record.person, record.route, record.campaign) == (NEW("id:7"), "store", "sms-survey")
    entry = read(found, customer="7", route="ada@example.com", campaign=["sms-survey"])
    assert (entry.route, entry.campaign) == ("", "")
    found = feed(tmp_path, "responses", {"topics": ["answers"], "address": "to"})
    assert read(found, to=PHONE, route="store").route == ""


def test_an_answer_to_an_unknown_survey_fills_every_rule(tmp_path: Path) -> None:
    (tmp_path / "scopes.csv").write_text("code,scope\n7,sms\n")
    facts = answer_facts(load(config_text({"responses": RESPONSES}), env={}, base=tmp_path))
    assert facts("store", "sms-survey") == Facts("store", "sms-survey", "sms", "pis", ("nps",))
    assert facts("store", "") is None
    assert facts("", "sms-survey") is None


def test_a_hard_bounce_forbids_the_address_and_nothing_more(tmp_path: Path) -> None:
    found = feed(tmp_path, "deliveries", DELIVERIES)
    entry = read(found, to=PHONE, customer=7, status="INVALID")
    assert entry.kind is FeedKind.BOUNCE
    assert said(entry) == {(key(PHONE), "bounced", "sms", False) for key in (NEW, OLD)}
    entry = read(found, to="ada@mail.example.com", status="INVALID")
    assert {scope for *_, scope, _ in said(entry)} == {"email"}
    assert read(found, to=PHONE, status="DELIVERED") == FeedEntry(FeedKind.PASSED)
    assert read(found, status="DELIVERED") == FeedEntry(FeedKind.PASSED)


def test_a_bounce_without_an_address_forbids_everything(tmp_path: Path) -> None:
    entry = read(feed(tmp_path, "deliveries", DELIVERIES), customer=7, status="INVALID")
    assert said(entry) == {(key("id:7"), "bounced", "", False) for key in (NEW, OLD)}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
NAMES = ("address", "customer", "mail", "at", "scope", "until", "status", "to", "route", "campaign")
FEEDS = {"suppressions": SUPPRESSIONS, "responses": RESPONSES, "deliveries": DELIVERIES}


@pytest.fixture(scope="module")
def all_feeds(tmp_path_factory: pytest.TempPathFactory) -> list[Feed]:
    """One of each kind."""
    folder = tmp_path_factory.mktemp("feeds")
    return [feed(folder, name, section) for name, section in FEEDS.items()]


@given(
    body=st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON)),
    appended_at=st.none() | st.floats(0, 2 * NOW),
)
def test_no_record_raises_anything_else_and_all_that_is_written_can_be_read(
    all_feeds: list[Feed], body: dict[str, Any], appended_at: float | None
) -> None:
    record = InputRecord("crm", 0, 0, json.dumps(body).encode())
    for found in all_feeds:
        try:
            entry = found.read(record, appended_at, NOW)
        except EventError:
            continue
        for written in entry.records:
            assert 0 <= written.at <= NOW
            assert read_contact_record(encode_contact_record(written)) == written
