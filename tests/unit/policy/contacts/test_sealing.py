"""Sealing: asked again, over what is confirmed and sealed."""

from __future__ import annotations

from consumer.policy.contacts.contact_rule import ContactRule
from consumer.policy.contacts.history import Answer, ContactState, Facts
from consumer.policy.contacts.request import GRANTED, LOST, Decision, Verdict
from consumer.policy.contacts.settling import Answered
from consumer.policy.contacts.table import ContactRules
from consumer.records.result import Reason
from tests.support.contacts import DAY, NOW, PureContacts, request, selecting, sent, suppression

EVERYONE = ContactRule("everyone", within=30 * DAY)


def test_reservation_is_sealed_and_may_be_sealed_again_before_a_retry() -> None:
    contacts = PureContacts(EVERYONE)
    contacts.reserve(request(1))
    assert [contacts.seal(request(1)) for _ in range(2)] == [GRANTED, GRANTED]
    assert contacts.states() == {"i1": ContactState.SEALED}


def test_invitation_without_reservation_or_that_waits_must_be_reserved_again() -> None:
    contacts = PureContacts(ContactRule("sms", within=DAY, at_limit="wait"))
    contacts.reserve(request(1))
    contacts.reserve(request(2))
    assert [contacts.seal(request(number)) for number in (2, 3)] == [LOST, LOST]


def test_suppression_that_came_meanwhile_ends_the_reservation() -> None:
    contacts = PureContacts(EVERYONE)
    contacts.reserve(request(1))
    contacts.settle(suppression(reason="bounced"))
    assert contacts.seal(request(1)) == Decision(Verdict.REFUSED, Reason.BOUNCED)
    assert (contacts.states(), contacts.reservation(request(1))) == ({}, None)


def test_answer_or_exempt_contact_that_came_meanwhile_holds_it_back() -> None:
    answered = ContactRule("answered", within=DAY, counts_of="responses")
    contacts = PureContacts(EVERYONE, answered)
    contacts.reserve(request(1))
    contacts.reserve(request(2, contact="exempt"))
    assert contacts.seal(request(2)) is GRANTED
    assert contacts.seal(request(1)).blocked_by == "i2"
    contacts.reserve(request(3, "q"))
    contacts.settle(Answered(("q",), Answer(NOW)))
    assert contacts.seal(request(3, "q")).reason is Reason.COOLDOWN


def test_reservations_of_others_do_not_count() -> None:
    contacts = PureContacts(EVERYONE)
    contacts.reserve(request(1))
    contacts.reserve(request(2, contact="exempt"))
    assert contacts.seal(request(1)) is GRANTED


def test_seal_under_another_config_leaves_nothing_under_keys_of_the_former_one() -> None:
    contacts = PureContacts(ContactRule("store", within=DAY, per=("store",)))
    one = request(1, keys={"store": "1"})
    contacts.reserve(one)
    contacts.rules = ContactRules([EVERYONE])
    assert contacts.seal(one) is GRANTED
    contacts.settle(sent(one, NOW, "released"))
    assert contacts.kept == set()


def test_rule_that_waits_lets_a_reservation_wait_again() -> None:
    contacts = PureContacts(ContactRule("sms", within=DAY, at_limit="wait"))
    contacts.reserve(request(1))
    exempt = request(2, contact="exempt")
    contacts.settle(sent(exempt, NOW))
    waits = Decision(Verdict.WAIT, Reason.CONTACT_LIMIT, "sms", NOW + DAY, "i2")
    assert contacts.seal(request(1)) == waits
    assert contacts.states()["i1"] is ContactState.WAITING


def test_resend_is_sealed_in_place_of_the_one_it_repeats() -> None:
    contacts = PureContacts(EVERYONE)
    contacts.settle(sent(request(1), NOW, "unknown"))
    resend = request(2, resend_of="i1")
    contacts.reserve(resend)
    assert contacts.seal(resend) is GRANTED


def test_batch_in_flight_is_held_whatever_the_rules_say() -> None:
    contacts = PureContacts(EVERYONE)
    contacts.settle(sent(request(1), NOW), suppression())
    contacts.hold_sealed(request(2))
    contacts.hold_sealed(request(1))
    assert contacts.states() == {"i1": ContactState.SENT, "i2": ContactState.SEALED}


def test_a_reserved_resend_does_not_hide_what_it_repeats_at_another_seal() -> None:
    """It does not count itself before it is sealed, and the one that it repeats was sent."""
    contacts = PureContacts(ContactRule("once", within=DAY))
    contacts.settle(sent(request(1), NOW - 60))
    assert contacts.reserve(request(2, resend_of="i1")).verdict is Verdict.GRANTED
    contacts.hold_sealed(request(3))
    assert contacts.seal(request(3)).reason is Reason.CONTACT_LIMIT


def test_a_resend_of_another_campaign_does_not_hide_what_it_repeats() -> None:
    contacts = PureContacts(ContactRule("b", within=DAY, applies_to=selecting(campaigns="b")))
    first, other = Facts(campaign="b"), Facts(campaign="c")
    contacts.settle(sent(request(1, facts=first), NOW - 60))
    contacts.settle(sent(request(2, facts=other, resend_of="i1"), NOW - 30))
    assert contacts.reserve(request(3, facts=first)).reason is Reason.CONTACT_LIMIT
