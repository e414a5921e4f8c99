"""Contact rules alone: what they select, what they count, and for how long."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.policy.contacts.contact_rule import ContactRule, Selector
from consumer.policy.contacts.history import Answer, Contact, ContactState, Facts
from consumer.policy.contacts.periods import period_at
from tests.support.contacts import DAY, FACTS, ISTANBUL, NOW, selecting

MONTH = ContactRule("month", calendar="month", timezone=ISTANBUL)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (Selector(), True),
        (selecting(tags="nps"), True),
        (selecting(tags="care"), False),
        (Selector(tags=frozenset(["care", "store"])), True),
        (selecting(routes="store", campaigns="purchase", channels="sms", vendors="radar"), True),
        (selecting(routes="other"), False),
        (selecting(tags="nps", campaigns="other"), False),
        (selecting(tags="nps", channels="email"), False),
        (selecting(tags="nps", vendors="other"), False),
    ],
)
def test_selector_wants_every_key_and_one_name_of_each(selector: Selector, expected: bool) -> None:
    assert selector.matches(FACTS) is expected


@given(st.floats(0, 4e9), st.floats(1, 1e8))
def test_rolling_window_ends_at_exactly_sent_at_plus_within(when: float, within: float) -> None:
    rule = ContactRule("r", within=within)
    assert rule.frees_at(when, NOW) == when + within


@given(st.floats(1e9, 2e9), st.floats(1e9, 2e9))
def test_calendar_window_counts_what_is_not_before_its_start(when: float, now: float) -> None:
    start, end = period_at("month", ISTANBUL, now)
    frees_at = MONTH.frees_at(when, now)
    assert (frees_at > now) is (when >= start)
    if start <= when < end:
        assert frees_at == end


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"within": 1.0, "calendar": "day", "timezone": ISTANBUL},
        {"calendar": "day"},
        {"within": 1.0, "timezone": ISTANBUL},
        {"within": 1.0, "at_most": 0},
        {"within": 1.0, "counts_of": "responses", "per": ("store.id",)},
    ],
)
def test_rule_that_could_never_be_right_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="`"):
        ContactRule("r", **fields)


@pytest.mark.parametrize(
    ("per", "persons", "keys", "expected"),
    [
        (("person",), ("p",), {}, True),
        (("person",), (), {}, False),
        (("person", "store"), ("p",), {"store": "1"}, True),
        (("person", "store"), ("p",), {"store": None}, False),
        (("store",), (), {"store": "1"}, True),
        (("store",), ("p",), {}, False),
    ],
)
def test_rule_applies_only_where_no_key_is_null(
    per: tuple[str, ...], persons: tuple[str, ...], keys: dict[str, str | None], expected: bool
) -> None:
    assert ContactRule("r", within=DAY, per=per).has_keys(persons, keys) is expected


def contact(facts: Facts = FACTS, **keys: str | None) -> Contact:
    return Contact("c", ContactState.SENT, NOW, facts, keys)


def test_rule_counts_what_it_applies_to_unless_it_says_otherwise() -> None:
    nps = selecting(tags="nps")
    rule = ContactRule("nps", within=DAY, applies_to=nps)
    gap = ContactRule("gap", within=DAY, applies_to=nps, counts=Selector())
    other = contact(Facts("other"))
    assert (rule.counts_contact(other, {}), gap.counts_contact(other, {})) == (False, True)
    assert rule.counts_contact(contact(), {})


def test_rule_of_several_keys_counts_contacts_with_the_same_values() -> None:
    rule = ContactRule("r", within=DAY, per=("person", "store"))
    found = [contact(store="1"), contact(store="2"), contact(store=None), contact()]
    counted = [rule.counts_contact(contact, {"store": "1"}) for contact in found]
    assert counted == [True, False, False, False]


def test_answer_of_which_nothing_is_known_counts_for_every_rule() -> None:
    rule = ContactRule(
        "r",
        within=DAY,
        applies_to=selecting(tags="nps"),
        counts_of="responses",
        per=("person", "store"),
    )
    keys = {"store": "1"}
    assert rule.counts_answer(Answer(NOW), keys)
    assert rule.counts_answer(Answer(NOW, FACTS), keys)
    assert not rule.counts_answer(Answer(NOW, Facts("other")), keys)
    assert not rule.counts_answer(Answer(NOW, FACTS, {"store": "2"}), keys)
    every = ContactRule("r", within=DAY, counts=Selector(), counts_of="responses")
    assert every.counts_answer(Answer(NOW, Facts("other")), {})
