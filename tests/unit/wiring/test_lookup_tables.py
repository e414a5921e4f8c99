"""A lookup table from its file to an invitation, and after a reload to another one."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.config import load
from consumer.records.input_record import InputRecord
from consumer.records.readers import read_invitation
from consumer.routing.routed import Routed
from consumer.routing.router import Router
from consumer.wiring.build import build_router, build_vendors

CONFIG = """
version: 1
application_id: surveys
kafka: {bootstrap.servers: "localhost:9092"}
pseudonym: {key_id: k1, key: a-key-for-tests-only}
quotas: {cloud: {limits: [20/5s]}}
vendors:
  r:
    type: customer_radar
    base_url: https://r.example
    username: u
    password: p
    client: c
    quota: cloud
campaigns: {visit: {vendor: r, channel: invitation, id: a}}
inputs:
  pos: {topics: [pos], format: json, event: {id: "lookup('stores', store, 'id')"}}
  web: {topics: [web], format: json}
tables: {stores: {file: stores.csv, key: store_id}}
routes:
  - name: a
    input: pos
    recipient: {email: "lookup('stores', store, 'mail')"}
    send: [visit]
    data:
      locationDisplayId: "lookup('stores', store, 'location')"
      metadata: {City: "lookup('stores', store, 'city') || 'elsewhere'"}
  - name: b
    input: web
    recipient: {email: mail}
    send: [visit]
    data: {locationDisplayId: "lookup('stores', store, 'location')"}
"""
STORES = "store_id,id,mail,location,city\n42,e-1,ada@example.com,izmir-1,İzmir\n12.50,e-2,,b,\n"
NOW = 1_795_361_827.0


def router(folder: Path, stores: str, text: str = CONFIG) -> Router:
    (folder / "stores.csv").write_text(stores, encoding="utf-8")
    config = load(text, env={}, base=folder)
    return build_router(config, build_vendors(config))


def routed(router: Router, topic: str, store: bytes) -> Routed:
    event = b'{"id": "t", "time": "2026-11-22T15:37:07Z", "mail": "x@example.com", "store": %b}'
    return router.route([InputRecord(topic, 0, 0, event % store)], NOW)


def test_a_table_gives_the_event_its_id_its_recipient_and_its_data(tmp_path: Path) -> None:
    found = routed(router(tmp_path, STORES), "pos", b"42")
    (made,) = found.invitations
    invitation = read_invitation(made.value)
    assert invitation["event_id"] == "e-1"
    assert invitation["address"] == {"email": "ada@example.com"}
    assert invitation["data"] == {"locationDisplayId": "izmir-1", "metadata": {"City": "İzmir"}}


def test_a_table_gives_a_policy_its_zone_and_a_split_its_key(tmp_path: Path) -> None:
    policy = """
    policy:
      quiet_hours: {times: ["21:00-09:00"]}
      timezone: ["lookup('stores', store, 'city')", "'Asia/Tokyo'"]
      customer_since: {at: "lookup('stores', store, 'id')", at_least: 1d}
      sample: {rate: 1.0, salt: s, by: "lookup('stores', store, 'location')"}
"""
    stores = STORES.replace("e-1", "2020-01-01T00:00:00Z").replace("İzmir", "Europe/Berlin")
    found = routed(router(tmp_path, stores, CONFIG + policy), "web", b"42")
    (made,) = found.invitations
    assert read_invitation(made.value)["timezone"] == "Europe/Berlin"


@pytest.mark.parametrize("store", [b'"43"', b"null", b"[42]", b'{"a": 42}', b"42.0", b"042e1"])
def test_a_store_that_the_table_lacks_is_rejected_by_the_vendors_need(
    store: bytes, tmp_path: Path
) -> None:
    found = routed(router(tmp_path, STORES), "web", store)
    if store == b"042e1":  # no JSON
        assert [letter.reason for letter in found.dead_letters] == ["not_json"]
        return
    (result,) = found.results
    assert (result["reason"], result["fields"]) == ("invalid_data", ["locationDisplayId"])


def test_a_numbers_digits_are_those_of_the_event(tmp_path: Path) -> None:
    made = router(tmp_path, STORES)
    assert len(routed(made, "web", b"12.50").invitations) == 1
    assert len(routed(made, "web", b"12.5").invitations) == 0


def test_a_router_of_a_changed_file_reads_the_new_cells(tmp_path: Path) -> None:
    """The former router goes on with its own: records of one poll are routed by one config."""
    before = router(tmp_path, STORES)
    after = router(tmp_path, STORES.replace("izmir-1", "izmir-2"))
    for made, location in ((before, "izmir-1"), (after, "izmir-2")):
        (invitation,) = routed(made, "pos", b"42").invitations
        assert read_invitation(invitation.value)["data"]["locationDisplayId"] == location


TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
)


@pytest.fixture(scope="module")
def any_router(tmp_path_factory: pytest.TempPathFactory) -> Router:
    return router(tmp_path_factory.mktemp("tables"), STORES)


@given(store=TREES, topic=st.sampled_from(["pos", "web"]))
def test_no_key_is_a_defect(any_router: Router, store: object, topic: str) -> None:
    found = routed(any_router, topic, orjson.dumps(store, default=str))
    assert found.counts.total() == 1
    assert not [count for count in found.counts if count[2] == "internal_error"]
