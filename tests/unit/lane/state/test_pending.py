"""An invitation in memory: what is at hand, and what is read again from its bytes."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.errors import UnreadableRecord
from consumer.lane.state.delay_steps import DelayedInvitation
from consumer.lane.state.pending import OVERHEAD, PendingInvitation
from consumer.records.fields import USUAL_PRIORITY
from consumer.records.invitation import Invitation, encode_invitation
from consumer.records.readers import RECORD_LIMIT
from tests.support.lanes import HAPPENED, NOW, held, invitation, written


def test_what_the_lane_decides_by_is_read_from_the_record() -> None:
    each = written(7, "visit", expires_at=NOW + 5, attempt=2, delays=3)
    assert (each.offset, each.campaign, each.recipient, each.arrived) == (7, "visit", "r7", NOW)
    assert (each.expires_at, each.attempt, each.delays) == (NOW + 5, 2, 3)
    assert each.size == len(each.value) + OVERHEAD


def test_a_first_time_invitation_was_in_no_call_and_never_delayed() -> None:
    assert (written(7).attempt, written(7).delays) == (0, 0)


HEAD = {
    "eligible_from": NOW + 60,
    "zone": "Europe/Istanbul",
    "priority": 60,
    "waits_for": "everyone",
    "shadow": True,
    "due_at": NOW + 60,
}
RESULT = {
    "timezone": "Europe/Istanbul",
    "timezone_from": "phone",
    "bucket": 0.25,
    "tags": ["nps"],
    "person": ["k1:a", "k1:b"],
    "keys": {"store.id": "7", "basket": None},
    "redirected": True,
}


def test_what_rules_add_is_read_and_the_record_kept_as_it_is() -> None:
    """Encoding it again would take as long as the call."""
    value = orjson.loads(encode_invitation(invitation(7, "r7", "a")))
    raw = orjson.dumps({**value, **HEAD, "result": {**value["result"], **RESULT}})
    pending = PendingInvitation.read(7, raw, NOW)
    assert pending.value is raw
    assert (pending.eligible_from, pending.zone) == (NOW + 60, "Europe/Istanbul")
    assert (pending.priority, pending.waits_for, pending.route) == (60, "everyone", "store")
    assert pending.shadow
    assert pending.arrived == NOW + 60  # the wait counts from the due time
    assert pending.invitation.items() >= {**HEAD, **RESULT}.items()
    assert PendingInvitation.read(7, raw, NOW + 61).arrived == NOW + 61


@pytest.mark.parametrize("later", [*HEAD, *RESULT])
def test_a_record_with_one_of_these_keys_is_kept_as_it_is(later: str) -> None:
    value = orjson.loads(encode_invitation(invitation(7, "r7", "a")))
    if later in HEAD:
        value[later] = HEAD[later]
    else:
        value["result"][later] = RESULT[later]
    raw = orjson.dumps(value)
    assert PendingInvitation.read(7, raw, NOW).value is raw


@pytest.mark.parametrize("version", [1, 2])
def test_a_record_without_what_rules_add_is_due_at_once_anywhere(version: int) -> None:
    """Those of before the rules, of both versions."""
    first = invitation(7, "r7", "a")
    raw = orjson.dumps(first) if version == 1 else encode_invitation(first)
    pending = PendingInvitation.read(7, raw, NOW)
    assert (pending.arrived, pending.eligible_from, pending.zone) == (NOW, 0.0, "")
    assert (pending.priority, pending.waits_for) == (USUAL_PRIORITY, "")


@given(st.fixed_dictionaries({}, optional={key: st.just(HEAD[key]) for key in HEAD}))
def test_a_delayed_record_comes_back_with_all_that_rules_added(head: dict[str, object]) -> None:
    """But for the rule for which it waited."""
    value = orjson.loads(encode_invitation(invitation(7, "r7", "a")))
    raw = orjson.dumps({**value, **head, "result": {**value["result"], **RESULT}})
    pending = PendingInvitation.read(7, raw, NOW)
    back = orjson.loads(DelayedInvitation(pending, NOW + 5, "1m").record())
    expected = {**head, "due_at": NOW + 5, "attempt": 0, "delays": 1}
    expected.pop("waits_for", None)
    assert back == {**value, **expected, "result": {**value["result"], **RESULT}}


@pytest.mark.parametrize(
    ("key", "bad"),
    [
        ("eligible_from", -1),
        ("eligible_from", "soon"),
        ("eligible_from", 1e300),
        ("zone", 3),
        ("priority", 101),
        ("priority", 1.5),
        ("waits_for", None),
        ("shadow", "yes"),
    ],
)
def test_a_record_with_an_unfit_key_of_rules_is_refused(key: str, bad: object) -> None:
    value = orjson.loads(encode_invitation(invitation(7, "r7", "a")))
    with pytest.raises(UnreadableRecord):
        PendingInvitation.read(7, orjson.dumps({**value, key: bad}), NOW)


def test_a_record_that_is_no_invitation_is_refused() -> None:
    with pytest.raises(UnreadableRecord):
        PendingInvitation.read(7, b"{}", NOW)


def test_an_invitation_keeps_its_bytes_and_is_parsed_on_demand() -> None:
    """Parsed invitations take twice the memory of their bytes."""
    each = written(7)
    assert each.invitation is not each.invitation
    assert each.invitation["id"] == "i7"


def test_the_flat_view_has_what_was_written() -> None:
    assert held(7).invitation == {**invitation(7, "r7", "a"), "version": 2, "event_at": HAPPENED}


def test_a_record_of_the_first_version_is_encoded_again() -> None:
    """With the keys of a later program that it may have."""
    first = {**invitation(7, "r7", "a"), "attempt": 2, "new": [1]}
    pending = PendingInvitation.read(7, orjson.dumps(first), NOW)
    assert pending.invitation == {**first, "version": 2, "event_at": HAPPENED}
    assert (pending.attempt, pending.checked_by) == (2, "c1")


@pytest.mark.parametrize("when", ["", "yesterday", "9999-12-31T23:59:59-23:00"])
def test_an_event_time_of_the_first_version_may_be_unknown(when: str) -> None:
    made: Invitation = {**invitation(7, "r7", "a"), "event_time": when}
    assert PendingInvitation.of(7, made, NOW).event_at is None


def test_the_router_of_the_same_config_checked_it_unless_an_operator_sent_it_again() -> None:
    assert held(7).checked_by == "c1"
    assert written(7, resend_of="i3").checked_by == ""


def test_a_record_beyond_the_bound_is_refused() -> None:
    value = held(7).value[:-1] + b',"new":"%b"}' % (b"x" * RECORD_LIMIT)
    with pytest.raises(UnreadableRecord, match=str(RECORD_LIMIT)):
        PendingInvitation.read(7, value, NOW)


def test_a_skipped_part_that_is_no_text_is_refused() -> None:
    """It would be copied to other topics, whose readers refuse it."""
    value = held(7).value[:-1] + b',"new":"\xff"}'
    with pytest.raises(UnreadableRecord):
        PendingInvitation.read(7, value, NOW)


def test_of_a_later_versions_record_only_its_delays_and_attempts_are_known() -> None:
    value = orjson.dumps({"version": 3, "attempt": 3, "delays": 4, "campaign": {"new": "form"}})
    later = PendingInvitation.from_later_version(7, value, NOW)
    assert later is not None
    assert (later.offset, later.value, later.attempt, later.delays) == (7, value, 3, 4)
    assert later.expires_at is None


@pytest.mark.parametrize(
    "value",
    [b"", b"?", b"[]", b"7", b'"version"', b"null", b"{}", b'{"version":1}', b'{"version":null}',
     b'{"version":"new"}', b'{"version":3,"delays":[]}', b'{"version":2,"delays":1}'],
)  # fmt: skip
def test_anything_else_is_no_later_version(value: bytes) -> None:
    assert PendingInvitation.from_later_version(7, value, NOW) is None


def test_the_result_is_of_the_same_part_with_or_without_a_call() -> None:
    called, uncalled = held(3), held(3)
    parts = called.call_parts()
    assert parts.id == uncalled.invitation["id"]
    phone = orjson.dumps(uncalled.invitation["address"]["phone"])
    assert {kind: bytes(text) for kind, text in parts.address.items()} == {"phone": phone}
    assert called.result_part() == uncalled.result_part() == parts.result
