"""Which invitations an operator's `resend` sends again, and what they become."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import orjson
import pytest

from consumer.operations.resend.selection import (
    Choice,
    Plan,
    Refusal,
    Resendable,
    Search,
    resend_of,
)
from consumer.records.fields import rfc3339
from consumer.records.invitation import Invitation
from consumer.records.readers import read_invitation
from consumer.records.result import Reason
from tests.support.lanes import HAPPENED, NOW, campaign, invitation, result_of

LANES = {"a": "cloud", "b": "radar"}
UNKNOWN = Choice(frozenset({"unknown"}))


def search(choice: Choice = UNKNOWN, at_once: int = 100) -> Search:
    return Search(choice, at_once)


def ended(found: Search, old: Invitation, reason: Reason = Reason.OWNER_LOST) -> None:
    """The invitation is on a lane's topic, and has a result."""
    found.result(result_of(old, reason, campaign(old["campaign"]), 1), NOW)


def plan(found: Search, expiry: dict[str, float] | None = None) -> Plan:
    return found.plan(LANES, expiry or {}, "c2", NOW)


def why(made: Plan) -> dict[Refusal, int]:
    told: Counter[Refusal] = Counter()
    for (_, refusal), number in made.refused.items():
        told[refusal] += number
    return told


def test_a_resent_invitation_is_a_new_one_that_names_the_old_one() -> None:
    old: Invitation = {**invitation(7, "p7", "a"), "attempt": 3, "delays": 1, "due_at": NOW}
    found = search()
    ended(found, old)
    found.invitation(orjson.dumps(old))
    (again,) = plan(found).again

    assert (again.lane, again.kind) == ("cloud", ("a", Reason.OWNER_LOST))
    new = read_invitation(again.value)
    assert new == {
        **invitation(7, "p7", "a"),
        "version": 2,
        "event_at": HAPPENED,
        "id": hashlib.blake2b(b"i7|resend", digest_size=16).hexdigest(),
        "resend_of": "i7",
        "routed_at": rfc3339(NOW),
        "config_version": "c2",
    }


def test_a_resend_keeps_what_rules_added_but_for_its_wait() -> None:
    """The zone for quiet hours, the persons for contact rules, its due time for the clock."""
    kept = {
        "eligible_from": NOW - 60,
        "zone": "Asia/Tokyo",
        "priority": 60,
        "timezone": "Asia/Tokyo",
        "timezone_from": "phone",
        "bucket": 0.25,
        "tags": ["nps"],
        "person": ["k1:a", "k1:b"],
        "keys": {"store.id": "7"},
        "redirected": True,
    }
    old = {**invitation(7, "p7", "a"), **kept, "waits_for": "everyone", "due_at": NOW}
    found = search()
    ended(found, old)  # type: ignore[arg-type]  # an invitation with later keys
    found.invitation(orjson.dumps(old))
    (again,) = plan(found).again
    new = read_invitation(again.value)
    assert new.items() >= kept.items()
    assert not {"waits_for", "due_at", "delays", "attempt"} & new.keys()


def test_a_resend_that_ended_unknown_may_be_sent_again_and_the_first_one_not() -> None:
    old = invitation(7, "p7", "a")
    second = resend_of(old, None, "c2", NOW)
    found = search()
    ended(found, old)
    ended(found, second)
    found.invitation(orjson.dumps(old))
    found.invitation(orjson.dumps(second))
    made = plan(found)
    assert [read_invitation(each.value)["resend_of"] for each in made.again] == [second["id"]]
    assert why(made) == {Refusal.RESENT: 1}


@pytest.mark.parametrize("where", ["result", "invitation"])
def test_what_was_sent_again_is_not_chosen_whichever_topic_says_so(where: str) -> None:
    """The resend's invitation may be deleted already, or its result not be there yet."""
    old = invitation(7, "p7", "a")
    second = resend_of(old, None, "c2", NOW)
    found = search()
    ended(found, old)
    if where == "result":
        ended(found, second, Reason.ACCEPTED)
    found.invitation(orjson.dumps(old))
    if where == "invitation":
        found.invitation(orjson.dumps(second))
    made = plan(found)
    assert not made.again
    assert why(made) == {Refusal.RESENT: 1}


def test_what_cannot_be_sent_again_says_why() -> None:
    found = search(at_once=1)
    late = invitation(1, "p1", "a", expires_at=NOW)
    many = [invitation(offset, f"p{offset}", "a") for offset in (2, 3)]
    lost, gone = invitation(4, "p4", "z"), invitation(5, "p5", "a")
    for each in (late, *many, lost, gone):
        ended(found, each)
    found.invitation(orjson.dumps(many[0]))
    found.invitation(orjson.dumps(many[1]))
    made = plan(found)
    assert len(made.again) == 1
    assert why(made) == {Refusal.LATER: 1, Refusal.GONE: 3}

    for each, refusal in ((late, Refusal.EXPIRED), (lost, Refusal.CAMPAIGN)):
        alone = search()
        ended(alone, each)
        alone.invitation(orjson.dumps(each))
        assert why(plan(alone)) == {refusal: 1}


def test_a_prolonged_expiry_counts_as_the_route_has_it_now() -> None:
    """Expired ones can be sent again once `expire_after` says so."""
    late = invitation(1, "p1", "a", expires_at=NOW - 1)
    late["event_time"] = rfc3339(NOW - 100).lower()
    found = search(Choice(frozenset({"expired"})))
    ended(found, late, Reason.EXPIRED_WAITING)
    found.invitation(orjson.dumps(late))
    assert why(plan(found, {"store": 100.0})) == {Refusal.EXPIRED: 1}
    (again,) = plan(found, {"store": 160.0}).again
    assert orjson.loads(again.value)["expires_at"] == NOW + 60


def test_an_unreadable_time_leaves_the_expiry_as_it_was() -> None:
    odd = invitation(1, "p1", "a", expires_at=NOW + 5)
    odd["event_time"] = "2026-11-22T24:61:00Z"
    found = search()
    ended(found, odd)
    found.invitation(orjson.dumps(odd))
    (again,) = plan(found, {"store": 1.0}).again
    assert orjson.loads(again.value)["expires_at"] == NOW + 5


@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        ({}, True),
        ({"statuses": frozenset({"failed"})}, False),
        ({"reasons": frozenset({"owner_lost"})}, True),
        ({"reasons": frozenset({"no_answer"})}, False),
        ({"campaigns": frozenset({"b"})}, False),
        ({"routes": frozenset({"store"})}, True),
        ({"routes": frozenset({"web"})}, False),
        ({"ids": frozenset({"i1"})}, True),
        ({"ids": frozenset({"i2"})}, False),
        ({"since": NOW}, True),
        ({"since": NOW + 1}, False),
        ({"until": NOW + 1}, True),
        ({"until": NOW}, False),
    ],
)
def test_only_what_was_asked_for_is_chosen(asked: dict[str, Any], taken: bool) -> None:
    choice = Choice(**{"statuses": frozenset({"unknown"}), **asked})
    result = result_of(invitation(1, "p1", "a"), Reason.OWNER_LOST, None, 1)
    assert choice.takes(result, NOW) is taken


def test_no_accepted_or_suppressed_result_can_be_chosen() -> None:
    assert set(Resendable) == {"unknown", "failed", "rejected", "expired"}
