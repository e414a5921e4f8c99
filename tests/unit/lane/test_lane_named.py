"""A vendor takes a call and names the recipients that failed: those are rejected, and no other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.records.call import Outcome, Verdict
from consumer.records.result import Result
from tests.support.lanes import (
    ACCEPTED,
    BAD_RECIPIENT,
    GATEWAY,
    NOW,
    SILENCE,
    Driver,
    campaign,
    held,
    lane,
    settings,
)

ALL_FAILED = Outcome(Verdict.REJECTED, 207)


def named(outcome: Outcome, **failed: str | None) -> Outcome:
    """`n3="E1"`: the fourth recipient of the call failed with that code."""
    return replace(outcome, failed={int(at[1:]): code for at, code in failed.items()})


def of(customers: int, **changes: object) -> Driver:
    driver = Driver(lane(settings(campaign("a", **changes))))
    driver.read(*(held(n) for n in range(customers)))
    return driver


def ends(driver: Driver) -> dict[int, tuple[str, str | None]]:
    """Offset → reason and code."""
    told: dict[int, Result] = {int(result["id"][1:]): result for result in driver.results}
    return {at: (one["reason"].value, one["vendor_code"]) for at, one in sorted(told.items())}


def test_the_named_are_rejected_with_their_codes_and_the_others_accepted() -> None:
    driver = of(5)
    outcome = replace(ACCEPTED, http_status=207, reference="b-1")

    driver.answer(driver.batches[0], named(outcome, n1="E1", n3=None, n4="E1"))

    assert ends(driver) == {
        0: ("accepted", None),
        1: ("vendor_rejected", "E1"),
        2: ("accepted", None),
        3: ("vendor_rejected", None),
        4: ("vendor_rejected", "E1"),
    }
    (one,) = {
        (each["http_status"], each["attempt"], each["vendor_message"])
        for each in driver.results
        if each["status"] == "rejected"
    }
    assert one == (207, 1, "The vendor took the call, and refused this recipient.")
    assert {each.get("vendor_reference") for each in driver.results} == {"b-1"}
    assert len(driver.batches) == 1
    assert (driver.lane.idle, driver.lane.buffer.buffered) == (True, 0)
    assert driver.checkpoint.base == 5


def test_where_all_failed_none_is_accepted_and_nothing_is_called_again() -> None:
    driver = of(3)

    driver.answer(driver.batches[0], named(ALL_FAILED, n0="E1", n1="E2", n2="E1"))

    assert {reason for reason, _ in ends(driver).values()} == {"vendor_rejected"}
    assert (driver.lane.idle, driver.checkpoint.base, len(driver.batches)) == (True, 3, 1)
    driver.read(held(3))
    assert driver.sent == [0, 1, 2, 3]  # the campaign is well


def test_the_others_of_a_call_in_doubt_stay_in_doubt() -> None:
    driver = of(3)

    driver.answer(driver.batches[0], named(SILENCE, n1="E1"))

    assert ends(driver) == {
        0: ("no_answer", None),
        1: ("vendor_rejected", "E1"),
        2: ("no_answer", None),
    }


def test_only_the_others_are_sent_again_where_the_campaign_says_so() -> None:
    driver = of(3, in_doubt="resend")

    driver.answer(driver.batches[0], named(SILENCE, n1="E1"))
    later = driver.step(NOW + 600)

    assert ends(driver) == {1: ("vendor_rejected", "E1")}
    assert [each.offset for batch in later for each in batch.invitations] == [0, 2]


@pytest.mark.parametrize("last", [ACCEPTED, ALL_FAILED])
def test_a_part_of_a_divided_batch_may_be_answered_so_too(last: Outcome) -> None:
    driver = of(4)
    driver.answer(driver.batches[0], BAD_RECIPIENT)
    (first,) = driver.batches[1:]
    assert [each.offset for each in first.invitations] == [0, 1]

    outcome = named(last, n0="E1") if last is ACCEPTED else named(last, n0="E1", n1="E1")
    driver.answer(first, outcome)
    for batch in driver.batches:  # the list grows
        if batch.id in driver.lane.in_flight:
            driver.answer(batch, ACCEPTED)

    bad = [0] if last is ACCEPTED else [0, 1]
    assert {at: reason for at, (reason, _) in ends(driver).items()} == {
        at: "vendor_rejected" if at in bad else "accepted" for at in range(4)
    }
    assert driver.lane.idle


def test_a_customer_on_trial_may_be_named() -> None:
    driver = of(1)
    driver.answer(driver.batches[0], GATEWAY)
    (again,) = driver.step(NOW + 600)

    driver.answer(again, named(ALL_FAILED, n0="E1"), NOW + 600)

    assert ends(driver) == {0: ("vendor_rejected", "E1")}
    assert driver.lane.idle


@given(
    st.integers(1, 12),
    st.sets(st.integers(0, 11)),
    st.sampled_from([ACCEPTED, SILENCE]),
)
def test_each_ends_once_and_as_the_answer_says(
    customers: int, failed: set[int], others: Outcome
) -> None:
    driver = of(customers)
    failed = {at for at in failed if at < customers}
    outcome = ALL_FAILED if len(failed) == customers else others

    driver.answer(driver.batches[0], replace(outcome, failed=dict.fromkeys(failed)))

    otherwise = "accepted" if others is ACCEPTED else "no_answer"
    assert len(driver.results) == customers
    assert {at: reason for at, (reason, _) in ends(driver).items()} == {
        at: "vendor_rejected" if at in failed else otherwise for at in range(customers)
    }


def test_a_link_that_the_vendor_made_is_in_the_result() -> None:
    driver = of(2, max_batch=1)
    for batch in driver.batches:
        link = f"https://s.example/{batch.invitations[0].offset}"
        driver.answer(batch, replace(ACCEPTED, link=link))

    told = {int(each["id"][1:]): each for each in driver.results}
    assert {at: (one["status"], one["reason"], one.get("link")) for at, one in told.items()} == {
        at: ("accepted", "link_made", f"https://s.example/{at}") for at in range(2)
    }
    assert driver.lane.idle
