"""Reserving: the order of the rules, their reasons, waiting, replays and resends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.policy.contacts.contact_rule import ContactRule, Selector
from consumer.policy.contacts.duplicates import Duplicates
from consumer.policy.contacts.history import Answer, ContactState, Facts
from consumer.policy.contacts.pace import Pace
from consumer.policy.contacts.periods import period_at
from consumer.policy.contacts.request import GRANTED, Decision, Verdict
from consumer.policy.contacts.settling import Answered
from consumer.policy.contacts.table import ContactRules
from consumer.records.result import Reason
from tests.support.contacts import (
    DAY,
    FACTS,
    ISTANBUL,
    NOW,
    PureContacts,
    request,
    selecting,
    sent,
    suppression,
)

EVERYONE = ContactRule("everyone", within=30 * DAY)
WAITING = ContactRule("sms", within=7 * DAY, at_limit="wait")
STORE = {"store": "17"}
PACED = {"paces": {"standard": Pace("standard", 2, "month", ISTANBUL, ("store",))}}
REPEATED = {"duplicates": {"standard": Duplicates("id", 7 * DAY)}}


def limited(rule: str, eligible_at: float | None, by: str | None = None) -> Decision:
    return Decision(Verdict.REFUSED, Reason.CONTACT_LIMIT, rule, eligible_at, by)


def test_without_rules_every_invitation_is_granted_and_reserved() -> None:
    contacts = PureContacts()
    assert contacts.reserve(request(1)) is GRANTED
    assert contacts.states() == {"i1": ContactState.RESERVED}


def test_open_reservation_fills_a_rule_until_a_time_that_is_not_known() -> None:
    contacts = PureContacts(EVERYONE)
    contacts.reserve(request(1))
    assert contacts.reserve(request(2)) == limited("everyone", None, "i1")
    assert contacts.states() == {"i1": ContactState.RESERVED}


def test_person_may_be_asked_again_at_exactly_sent_at_plus_within() -> None:
    contacts = PureContacts(EVERYONE)
    contacts.settle(sent(request(1), NOW))
    contacts.now = NOW + 30 * DAY - 0.001
    assert contacts.reserve(request(2)) == limited("everyone", NOW + 30 * DAY, "i1")
    contacts.now = NOW + 30 * DAY
    assert contacts.reserve(request(2)) is GRANTED


def test_unknown_outcome_counts_like_a_sent_one() -> None:
    contacts = PureContacts(EVERYONE)
    contacts.settle(sent(request(1), NOW, "unknown"))
    assert contacts.reserve(request(2)) == limited("everyone", NOW + 30 * DAY, "i1")


def test_rule_is_full_when_it_is_full_for_any_identity_and_frees_with_the_last() -> None:
    contacts = PureContacts(EVERYONE)
    contacts.settle(sent(request(1, "phone"), NOW - 2), sent(request(2, "email"), NOW - 1))
    refused = contacts.reserve(request(3, "new", "phone", "email"))
    assert refused == limited("everyone", NOW - 1 + 30 * DAY, "i2")
    assert contacts.states("new") == {}
    assert contacts.reserve(request(4, "new")) is GRANTED


def test_of_several_in_the_window_the_one_that_makes_room_is_named() -> None:
    contacts = PureContacts(ContactRule("two", 2, within=DAY))
    contacts.settle(*(sent(request(number), NOW - number) for number in (1, 2, 3)))
    assert contacts.reserve(request(4)) == limited("two", NOW - 2 + DAY, "i2")


def test_rule_of_a_store_counts_all_persons_of_it() -> None:
    rule = ContactRule("store", within=DAY, per=("store",))
    contacts = PureContacts(rule)
    assert contacts.reserve(request(1, keys=STORE)) is GRANTED
    assert contacts.reserve(request(2, "other", keys=STORE)) == limited("store", None, "i1")
    assert contacts.reserve(request(3, "other", keys={"store": "18"})) is GRANTED
    assert contacts.reserve(request(4, "third", keys={"store": None})) is GRANTED


def test_rule_that_another_one_replaces_does_not_hold_where_both_apply() -> None:
    care = ContactRule(
        "care", within=DAY, applies_to=selecting(tags="care"), instead_of=("everyone",)
    )
    contacts = PureContacts(EVERYONE, care)
    contacts.settle(sent(request(1), NOW - 2 * DAY))
    assert contacts.reserve(request(2, facts=Facts("care", tags=("care",)))) is GRANTED
    assert contacts.reserve(request(3)).rule == "everyone"


def test_cooldown_counts_responses() -> None:
    rule = ContactRule(
        "answered", within=60 * DAY, applies_to=selecting(tags="nps"), counts_of="responses"
    )
    contacts = PureContacts(rule)
    contacts.reserve(request(1))
    contacts.settle(Answered(("p",), Answer(NOW, Facts("other"))))
    contacts.settle(Answered(("p",), Answer(NOW - DAY)))
    refused = contacts.reserve(request(2))
    assert refused == Decision(Verdict.REFUSED, Reason.COOLDOWN, "answered", NOW + 59 * DAY)


def test_exempt_invitation_passes_and_counts_and_off_does_neither() -> None:
    contacts = PureContacts(EVERYONE)
    assert contacts.reserve(request(1, contact="off")) is GRANTED
    assert contacts.reserve(request(2, contact="exempt")) is GRANTED
    assert contacts.reserve(request(3, contact="exempt")) is GRANTED
    assert contacts.reserve(request(4, contact="off")) is GRANTED
    assert contacts.reserve(request(5)).verdict is Verdict.REFUSED
    assert contacts.states().keys() == {"i2", "i3"}


@pytest.mark.parametrize("mode", ["obey", "exempt", "off"])
def test_suppression_holds_for_every_invitation_under_any_identity(mode: str) -> None:
    contacts = PureContacts()
    contacts.settle(suppression("email", until=NOW + DAY))
    refused = contacts.reserve(request(1, "phone", "email", contact=mode))
    assert refused == Decision(Verdict.REFUSED, Reason.OPTED_OUT, eligible_at=NOW + DAY)
    assert contacts.reserve(request(2, "phone", contact=mode)) is GRANTED


def test_erased_person_is_asked_again_for_what_is_routed_later() -> None:
    contacts = PureContacts(EVERYONE)
    contacts.settle(sent(request(1), NOW - 100), suppression(at=NOW - 60, reason="erased"))
    assert contacts.reserve(request(2)).reason is Reason.ERASED
    assert contacts.reserve(request(3, routed_at=NOW - 59)) is GRANTED


def test_first_rule_that_fails_gives_the_reason() -> None:
    table = {**PACED, **REPEATED}
    keys = {**STORE, "id": "1"}
    names = {"pace": "standard", "duplicates": "standard"}
    contacts = PureContacts(ContactRule("everyone", 2, within=DAY), **table)
    for number in (1, 2):
        contacts.reserve(request(number, keys={**keys, "id": str(number)}, **names))
    contacts.settle(suppression())
    assert contacts.reserve(request(3, keys=keys, **names)).reason is Reason.DUPLICATE
    keys["id"] = "3"
    assert contacts.reserve(request(3, keys=keys, **names)).reason is Reason.OPTED_OUT
    contacts.settle(suppression(at=NOW + 1, removed=True))
    assert contacts.reserve(request(3, keys=keys, **names)).reason is Reason.CONTACT_LIMIT
    assert contacts.reserve(request(3, "q", keys=keys, **names)).reason is Reason.PACE_MET


def test_duplicate_is_one_of_the_same_route_and_key_that_was_not_refused() -> None:
    contacts = PureContacts(**REPEATED)
    same = {"keys": {"id": "A"}, "duplicates": "standard"}
    first = request(1, **same)
    contacts.reserve(first)
    repeats = Decision(Verdict.REFUSED, Reason.DUPLICATE, duplicate_of="i1")
    assert contacts.reserve(request(2, "q", **same)) == repeats
    assert contacts.reserve(request(3, **same, facts=Facts("other"))) is GRANTED
    assert contacts.reserve(request(4, keys={"id": None}, duplicates="standard")) is GRANTED
    contacts.settle(sent(first, NOW))
    contacts.now = NOW + 7 * DAY - 1
    assert contacts.reserve(request(2, **same)) == repeats
    contacts.now = NOW + 7 * DAY
    assert contacts.reserve(request(2, **same)) is GRANTED


def test_failed_invitation_is_repeated_by_none() -> None:
    contacts = PureContacts(**REPEATED)
    same = {"keys": {"id": "A"}, "duplicates": "standard"}
    contacts.reserve(request(1, **same))
    contacts.settle(sent(request(1, **same), NOW, "released"))
    assert contacts.reserve(request(2, **same)) is GRANTED
    assert contacts.reserve(request(3, resend_of="i2", **same)) is GRANTED


def test_pace_is_met_by_open_and_sent_invitations_of_the_period() -> None:
    contacts = PureContacts(**PACED)
    start, end = period_at("month", ISTANBUL, NOW)
    paced = {"keys": STORE, "pace": "standard"}
    contacts.settle(*(sent(request(number, **paced), start - number) for number in (1, 2)))
    assert contacts.reserve(request(3, "a", **paced)) is GRANTED
    contacts.settle(sent(request(4, "b", **paced), start))
    refused = contacts.reserve(request(5, "c", **paced))
    assert refused == Decision(Verdict.REFUSED, Reason.PACE_MET, "standard", end)
    assert contacts.reserve(request(6, "c", keys={"store": None}, pace="standard")) is GRANTED
    contacts.now = end
    assert contacts.reserve(request(5, "c", **paced)) is GRANTED


def test_invitation_waits_until_the_last_full_rule_has_room() -> None:
    other = ContactRule("other", within=3 * DAY, at_limit="wait")
    contacts = PureContacts(other, WAITING)
    contacts.settle(sent(request(1), NOW))
    eligible = NOW + 7 * DAY
    waiting = contacts.reserve(request(2, expires_at=eligible + 1))
    assert waiting == Decision(Verdict.WAIT, Reason.CONTACT_LIMIT, "sms", eligible, "i1")
    assert contacts.states()["i2"] is ContactState.WAITING
    contacts.now = eligible
    assert contacts.reserve(request(2, expires_at=eligible + 1)) is GRANTED
    assert contacts.states()["i2"] is ContactState.RESERVED


def test_invitation_that_would_expire_while_it_waits_is_dropped_at_once() -> None:
    contacts = PureContacts(WAITING)
    contacts.settle(sent(request(1), NOW))
    refused = contacts.reserve(request(2, expires_at=NOW + 7 * DAY))
    assert refused == limited("sms", NOW + 7 * DAY, "i1")


def test_invitation_waits_behind_an_open_reservation_for_a_time_that_is_not_known() -> None:
    contacts = PureContacts(WAITING)
    contacts.reserve(request(1))
    expected = Decision(Verdict.WAIT, Reason.CONTACT_LIMIT, "sms", None, "i1")
    assert contacts.reserve(request(2, expires_at=NOW + 60)) == expected
    assert contacts.reserve(request(2, expires_at=NOW + 60)) == expected
    contacts.settle(sent(request(1), NOW, "released"))
    assert contacts.reserve(request(2)) is GRANTED


def test_rule_that_drops_comes_before_rules_that_wait() -> None:
    contacts = PureContacts(WAITING, EVERYONE)
    contacts.reserve(request(1))
    assert contacts.reserve(request(2)) == limited("everyone", None, "i1")


def test_one_waits_for_each_key() -> None:
    rule = ContactRule("store", within=DAY, per=("person", "store"), at_limit="wait")
    contacts = PureContacts(rule)
    for store in ("17", "18"):
        contacts.settle(sent(request(int(store), keys={"store": store}), NOW))
    assert contacts.reserve(request(1, keys=STORE)).verdict is Verdict.WAIT
    assert contacts.reserve(request(2, keys=STORE)) == limited("store", NOW + DAY, "i17")
    assert contacts.reserve(request(3, keys={"store": "18"})).verdict is Verdict.WAIT
    contacts.settle(sent(request(1, keys=STORE), NOW, "released"))
    assert contacts.reserve(request(2, keys=STORE)).verdict is Verdict.WAIT


def test_one_that_waits_for_another_rule_is_in_no_ones_way() -> None:
    other = ContactRule("other", within=DAY, applies_to=selecting(tags="care"), at_limit="wait")
    contacts = PureContacts(WAITING, other)
    care = Facts("care", tags=("care",))
    contacts.settle(sent(request(1, facts=care), NOW), sent(request(2), NOW - DAY))
    contacts.rules = ContactRules([other])
    assert contacts.reserve(request(3, facts=care)).verdict is Verdict.WAIT
    contacts.rules = ContactRules([WAITING])
    assert contacts.reserve(request(4)).verdict is Verdict.WAIT


def test_one_that_waited_and_is_refused_leaves_its_place() -> None:
    contacts = PureContacts(WAITING)
    contacts.reserve(request(1))
    contacts.reserve(request(2))
    contacts.settle(suppression())
    assert contacts.reserve(request(2)).reason is Reason.OPTED_OUT
    assert contacts.states().keys() == {"i1"}
    assert contacts.reservation(request(2)) is None


def test_replay_meets_its_own_reservation_whatever_came_since() -> None:
    contacts = PureContacts(EVERYONE)
    contacts.reserve(request(1))
    contacts.settle(suppression())
    assert contacts.reserve(request(1)) is GRANTED
    contacts.hold_sealed(request(1))
    assert contacts.reserve(request(1)) is GRANTED
    assert contacts.states() == {"i1": ContactState.SEALED}


def test_replay_of_a_sent_invitation_changes_nothing_of_its_contact() -> None:
    contacts = PureContacts(EVERYONE)
    contacts.settle(sent(request(1), NOW))
    assert contacts.reserve(request(1)) is GRANTED
    assert contacts.states() == {"i1": ContactState.SENT}
    contacts.settle(sent(request(1), NOW, "released"))
    assert contacts.states() == {"i1": ContactState.SENT}


def test_resend_takes_over_the_contact_of_the_one_it_repeats() -> None:
    contacts = PureContacts(ContactRule("two", 2, within=DAY))
    contacts.settle(sent(request(1), NOW - 1, "unknown"), sent(request(2), NOW - 2))
    resend = request(3, resend_of="i1")
    assert contacts.reserve(resend) is GRANTED
    assert contacts.reserve(request(4)) == limited("two", NOW - 2 + DAY, "i2")
    contacts.settle(sent(resend, NOW))
    assert contacts.states().keys() == {"i2", "i3"}


def test_resend_that_waits_has_not_taken_over_yet() -> None:
    waiting = ContactRule("nps", within=DAY, applies_to=selecting(tags="nps"), at_limit="wait")
    contacts = PureContacts(waiting)
    contacts.settle(sent(request(1), NOW), sent(request(2), NOW - 1))
    assert contacts.reserve(request(3, resend_of="i1")).verdict is Verdict.WAIT
    contacts.settle(sent(request(2), NOW - 2 * DAY))
    assert contacts.reserve(request(4)).blocked_by == "i1"


def test_resend_that_failed_leaves_the_contact_of_the_one_it_repeats() -> None:
    contacts = PureContacts(EVERYONE)
    contacts.settle(sent(request(1), NOW, "unknown"))
    resend = request(2, resend_of="i1")
    contacts.reserve(resend)
    contacts.settle(sent(resend, NOW, "released"))
    assert contacts.states() == {"i1": ContactState.UNKNOWN}


moments = st.floats(NOW - 3 * DAY, NOW, allow_subnormal=False)


@given(
    st.lists(st.tuples(moments, st.booleans(), st.sampled_from(["nps", "care"])), max_size=6),
    st.integers(1, 3),
    st.floats(1, 3 * DAY),
    st.sampled_from([Selector(), selecting(tags="nps")]),
)
def test_rolling_rule_agrees_with_counting_every_contact_by_hand(
    history: list[tuple[float, bool, str]], at_most: int, within: float, counts: Selector
) -> None:
    rule = ContactRule("r", at_most, within=within, counts=counts)
    contacts = PureContacts(rule)
    counted = []
    for number, (at, is_open, tag) in enumerate(history):
        one = request(number, contact="exempt", facts=Facts("r", tags=(tag,)))
        contacts.reserve(one)
        if not is_open:
            contacts.settle(sent(one, at))
        if counts.matches(one.facts):
            counted.append(float("inf") if is_open else at + within)
    decision = contacts.reserve(request(99, facts=FACTS))
    inside = sorted((frees_at for frees_at in counted if frees_at > NOW), reverse=True)
    assert (decision.verdict is Verdict.GRANTED) is (len(inside) < at_most)
    if len(inside) >= at_most:
        expected = inside[at_most - 1]
        assert decision.eligible_at == (None if expected == float("inf") else expected)
