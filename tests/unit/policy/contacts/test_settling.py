"""Settling: results, suppressions and answers, once, twice, and without a reservation."""

from __future__ import annotations

from consumer.policy.contacts.contact_rule import ContactRule
from consumer.policy.contacts.duplicates import Duplicates
from consumer.policy.contacts.history import NO_FACTS, Answer, ContactState
from consumer.policy.contacts.pace import Pace
from consumer.policy.contacts.request import Request
from consumer.policy.contacts.settling import Answered, subjects_changed
from tests.support.contacts import (
    DAY,
    FACTS,
    ISTANBUL,
    NOW,
    PureContacts,
    request,
    sent,
    suppression,
)

STORE = ContactRule("store", within=DAY, per=("store",))
TABLE = {
    "paces": {"standard": Pace("standard", 9, "month", ISTANBUL, ("store",))},
    "duplicates": {"standard": Duplicates("id", DAY)},
}


def full_request(number: int = 1, *persons: str) -> Request:
    keys = {"store": "17", "id": str(number)}
    return request(number, *persons, keys=keys, pace="standard", duplicates="standard")


def test_sent_invitation_is_a_contact_under_every_subject_and_no_reservation() -> None:
    contacts = PureContacts(STORE, **TABLE)
    one = full_request(1, "phone", "email")
    contacts.reserve(one)
    contacts.settle(sent(one, NOW + 5))
    subjects = subjects_changed(sent(one, NOW), contacts.rules)
    assert len(subjects) == 5
    found = [contact for subject in subjects for contact in contacts.contacts(subject)]
    assert {(contact.id, contact.state, contact.at) for contact in found} == {
        ("i1", ContactState.SENT, NOW + 5)
    }
    assert [contact.facts for contact in found].count(FACTS) == 4
    assert [contact.facts for contact in found].count(NO_FACTS) == 1
    assert contacts.reservation(one) is None


def test_result_counts_alike_with_and_without_a_reservation_and_however_often_it_is_read() -> None:
    one = full_request()
    known, lost = PureContacts(STORE, **TABLE), PureContacts(STORE, **TABLE)
    known.reserve(one)
    for contacts in (known, lost):
        contacts.settle(sent(one, NOW), sent(one, NOW))
    assert known._histories == lost._histories


def test_released_invitation_leaves_nothing() -> None:
    contacts = PureContacts(STORE, **TABLE)
    contacts.reserve(full_request())
    contacts.settle(sent(full_request(), NOW, "released"))
    assert contacts.kept == set()


def test_result_is_settled_under_the_reservations_subjects_too() -> None:
    """After a change of the config, or of the pseudonym's key, they differ."""
    contacts = PureContacts(ContactRule("all", within=DAY))
    contacts.reserve(request(1, "old:p", "new:p"))
    contacts.settle(sent(request(1, "old:p"), NOW))
    assert contacts.states("old:p") == contacts.states("new:p") == {"i1": ContactState.SENT}
    contacts.reserve(request(2, "old:q", "new:q"))
    contacts.settle(sent(request(2, "old:q"), NOW, "released"))
    assert contacts.states("new:q") == {}


def test_result_before_the_persons_erasure_is_passed_over() -> None:
    contacts = PureContacts()
    contacts.settle(suppression(at=NOW, reason="erased"))
    contacts.settle(sent(request(1), NOW), sent(request(2), NOW + 1))
    assert contacts.states() == {"i2": ContactState.SENT}


def test_answers_are_kept_under_every_identity() -> None:
    contacts = PureContacts()
    change = Answered(("phone", "email"), Answer(NOW))
    contacts.settle(change)
    assert subjects_changed(change, contacts.rules) == ("phone", "email")
    assert contacts.load().history("email").answers == [Answer(NOW)]


def test_contacts_older_than_keep_are_dropped() -> None:
    contacts = PureContacts(keep=DAY)
    contacts.settle(sent(request(1), NOW - DAY - 1), sent(request(2), NOW - DAY))
    assert contacts.states() == {"i2": ContactState.SENT}
