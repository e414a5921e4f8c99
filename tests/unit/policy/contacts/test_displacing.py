"""Displacement: only for higher priority, only unsealed, only so that one fits, none too many."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from consumer.policy.contacts.contact_rule import ContactRule
from consumer.policy.contacts.displacing import displace
from consumer.policy.contacts.history import Answer, ContactState
from consumer.policy.contacts.limits import Counting
from consumer.policy.contacts.loaded import LoadedContacts
from consumer.policy.contacts.pace import Pace
from consumer.policy.contacts.request import GRANTED, Decision, Request, Verdict
from consumer.policy.contacts.settling import Answered
from consumer.policy.contacts.table import ContactRules
from consumer.records.result import Reason
from tests.support.contacts import DAY, ISTANBUL, NOW, PureContacts, request, sent

EVERYONE = ContactRule("everyone", within=30 * DAY)


def took_place_of(*invitations: str) -> Decision:
    return Decision(Verdict.GRANTED, displaced=invitations)


def test_higher_priority_takes_the_place_of_a_reservation_that_ends_outranked() -> None:
    contacts = PureContacts(EVERYONE)
    contacts.reserve(request(1, "phone", "email", priority=50))
    winner = request(2, "phone", priority=51)
    assert contacts.reserve(winner) == took_place_of("i1")
    assert (contacts.states("phone"), contacts.states("email")) == (
        {"i2": ContactState.RESERVED},
        {},
    )
    outranked = Decision(Verdict.REFUSED, Reason.OUTRANKED, blocked_by="i2")
    loser = request(1, "phone", "email", priority=50)
    assert [contacts.reserve(loser), contacts.seal(loser)] == [outranked, outranked]
    contacts.settle(sent(loser, NOW, "released"))
    assert contacts.reservation(loser) is None


def test_same_priority_is_served_in_the_order_of_becoming_due() -> None:
    contacts = PureContacts(EVERYONE)
    contacts.reserve(request(1))
    assert contacts.reserve(request(2)).reason is Reason.CONTACT_LIMIT


def test_sealed_sent_and_exempt_contacts_keep_their_place() -> None:
    high: dict[str, Any] = {"priority": 100}
    contacts = PureContacts(EVERYONE)
    contacts.reserve(request(1, "a"))
    contacts.seal(request(1, "a"))
    contacts.settle(sent(request(2, "b"), NOW))
    contacts.reserve(request(3, "c", contact="exempt"))
    for number, person in enumerate(("a", "b", "c"), 4):
        assert contacts.reserve(request(number, person, **high)).reason is Reason.CONTACT_LIMIT


def test_none_is_displaced_where_the_newcomer_would_not_fit_all_the_same() -> None:
    answered = ContactRule("answered", within=DAY, counts_of="responses")
    for rules in ((EVERYONE, answered), (answered, EVERYONE)):
        contacts = PureContacts(*rules)
        contacts.reserve(request(1))
        contacts.settle(Answered(("p",), Answer(NOW)))
        assert contacts.reserve(request(2, priority=60)).verdict is Verdict.REFUSED
        assert contacts.states() == {"i1": ContactState.RESERVED}


def test_none_is_displaced_where_the_pace_is_met() -> None:
    paces = {"slow": Pace("slow", 1, "day", ISTANBUL)}
    contacts = PureContacts(EVERYONE, paces=paces)
    contacts.reserve(request(1, "p"))
    contacts.reserve(request(2, "q", pace="slow"))
    assert contacts.reserve(request(3, "p", priority=60, pace="slow")).reason is Reason.PACE_MET
    assert contacts.states("p") == {"i1": ContactState.RESERVED}
    assert contacts.reserve(request(4, "q", priority=60, pace="slow")) == took_place_of("i2")


def test_lowest_priority_goes_first_then_the_latest() -> None:
    contacts = PureContacts(ContactRule("three", 3, within=DAY))
    for number, priority in enumerate((30, 20, 20), 1):
        contacts.now = NOW + number
        contacts.reserve(request(number, priority=priority))
    displaced = [contacts.reserve(request(n, priority=40)).displaced for n in (4, 5, 6)]
    assert displaced == [("i3",), ("i2",), ("i1",)]


def test_one_that_need_not_go_is_spared() -> None:
    """The first rule alone would take i1; the second takes i2, which makes room in both."""
    wide = ContactRule("wide", 2, within=DAY)
    narrow = ContactRule("narrow", 1, within=DAY, per=("person", "store"))
    contacts = PureContacts(wide, narrow)
    contacts.reserve(request(1, priority=10, keys={"store": "1"}))
    contacts.reserve(request(2, priority=20, keys={"store": "2"}))
    newcomer = request(3, priority=30, keys={"store": "2"})
    assert contacts.reserve(newcomer) == took_place_of("i2")


def test_of_those_that_need_not_go_the_highest_priority_is_spared() -> None:
    """Three are there when `wide` comes to allow two; `narrow` takes i3, so one of the others."""
    contacts = PureContacts()
    for number in (1, 2, 3):
        contacts.reserve(request(number, priority=10 * number, keys={"store": str(number)}))
    wide = ContactRule("wide", 2, within=DAY)
    narrow = ContactRule("narrow", 1, within=DAY, per=("person", "store"))
    contacts.rules = ContactRules([wide, narrow])
    newcomer = request(4, priority=40, keys={"store": "3"})
    assert contacts.reserve(newcomer) == took_place_of("i1", "i3")


def test_reservation_that_was_not_read_is_not_displaced() -> None:
    contacts = PureContacts(EVERYONE)
    contacts.reserve(request(1))
    full = contacts.load()
    histories = {"p": next(iter(contacts._histories.values()))}
    loaded = LoadedContacts(histories, {})
    assert full.reservation("i1") is not None
    assert loaded.reservation("i1") is None
    displace(loaded, "i1", "i2")
    assert loaded.history("p").find("i1") is not None


requests = st.builds(
    lambda number, persons, store, priority: request(
        number, *persons, keys={"store": store}, priority=priority
    ),
    st.integers(0, 9),
    st.lists(st.sampled_from("ab"), min_size=1, max_size=2, unique=True),
    st.sampled_from(["1", "2"]),
    st.integers(1, 5),
)


@given(st.lists(requests, max_size=8, unique_by=lambda one: one.id), requests)
def test_newcomer_displaces_a_set_that_is_enough_and_none_of_which_is_spare(
    before: list[Request], newcomer: Request
) -> None:
    rules = (
        ContactRule("two", 2, within=DAY),
        ContactRule("store", 1, within=DAY, per=("person", "store")),
    )
    contacts = PureContacts(*rules)
    for other in before:
        contacts.reserve(other)
    newcomer = request(99, *newcomer.persons, keys=newcomer.keys, priority=newcomer.priority)
    counting = Counting(newcomer, contacts.load(), NOW)

    def fits(without: frozenset[str]) -> bool:
        return next(counting.full_rules(rules, without), None) is None

    lower = frozenset(
        contact.id
        for person in newcomer.persons
        for contact in contacts.contacts(person)
        if contact.priority < newcomer.priority
    )
    possible = fits(lower)
    decision = contacts.reserve(newcomer)
    assert (decision.verdict is Verdict.GRANTED) is possible
    going = frozenset(decision.displaced)
    if possible:
        assert fits(going)
        assert going <= lower
        smaller = [frozenset(some) for some in combinations(going, len(going) - 1)] if going else []
        assert not any(map(fits, smaller))
        assert (decision == GRANTED) is fits(frozenset())
