"""Fictional households: no real person can be reached, and no two share an address."""

from __future__ import annotations

import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberType

from consumer.demo.contacts import HOUSEHOLDS, IMPOSSIBLE_PHONE, contact, trait
from consumer.routing.recipients.recipients import PhoneNormaliser, normalise_email

ALL = [contact(household) for household in range(1, HOUSEHOLDS + 1)]


def test_there_are_enough_households_and_no_two_share_any_contact_data() -> None:
    assert HOUSEHOLDS >= 20_000
    for kind in ("name", "phone", "email"):
        assert len({getattr(each, kind) for each in ALL}) == HOUSEHOLDS


def test_the_router_takes_every_phone_and_e_mail_as_it_stands() -> None:
    normalise = PhoneNormaliser(None)
    assert [each for each in ALL if normalise(each.phone) != each.phone] == []
    assert [each for each in ALL if normalise_email(each.email) != each.email] == []


def test_every_phone_is_kept_for_fiction_and_every_domain_reserved() -> None:
    fiction = re.compile(r"\+1[2-9]\d{2}55501\d{2}")
    assert [each for each in ALL if not fiction.fullmatch(each.phone)] == []
    assert [each for each in ALL if not each.email.endswith("@example.com")] == []


def test_every_area_code_has_a_place_so_that_its_555_01xx_is_reserved() -> None:
    for area in {each.phone[2:5] for each in ALL}:
        number = phonenumbers.parse(f"+1{area}5550100", None)
        assert phonenumbers.region_code_for_number(number) == "US", area
        assert phonenumbers.number_type(number) == PhoneNumberType.FIXED_LINE_OR_MOBILE, area


@pytest.mark.parametrize(
    ("household", "phone"),
    [(1, "+12015550100"), (349, "+19895550100"), (350, "+12015550101"), (2469, "+12345550107")],
)
def test_a_household_keeps_its_number_over_releases(household: int, phone: str) -> None:
    assert contact(household).phone == phone
    assert contact(household).name == f"Household {household}"
    assert contact(household).email == f"household-{household}@example.com"


@pytest.mark.parametrize("household", [-1, 0, HOUSEHOLDS + 1])
def test_beyond_the_reserved_numbers_there_are_no_households(household: int) -> None:
    with pytest.raises(ValueError, match=f"from 1 to {HOUSEHOLDS}"):
        contact(household)


def test_the_impossible_phone_is_none_for_the_router() -> None:
    assert re.fullmatch(r"\+[1-9]\d{6,14}", IMPOSSIBLE_PHONE)
    assert PhoneNormaliser("US")(IMPOSSIBLE_PHONE) is None
    assert PhoneNormaliser(None)(IMPOSSIBLE_PHONE) is None


@given(st.integers(), st.text())
def test_a_trait_is_a_share_and_always_the_same(household: int, name: str) -> None:
    assert 0 <= trait(household, name) < 1
    assert trait(household, name) == trait(household, name)


def test_traits_are_even_over_households_and_independent_between_names() -> None:
    pairs = [(trait(n, "sms"), trait(n, "email")) for n in range(1, 20_001)]
    quarters = [sum(a < 0.5 and b < 0.5 for a, b in pairs), sum(a < 0.25 for a, _ in pairs)]
    assert quarters == pytest.approx([5_000, 5_000], rel=0.05)
