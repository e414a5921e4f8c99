"""Invitations that waited while their campaign's channel, vendor or addresses changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from consumer.lane.settlement.fitness import unfit
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneCampaign
from consumer.records.call import Outcome, Verdict
from consumer.records.channel import ChannelSpec, Listed
from consumer.records.result import Reason
from tests.support.lanes import (
    ACCEPTED,
    BAD_RECIPIENT,
    NOW,
    REFUSED,
    Driver,
    campaign,
    held,
    invitation,
    lane,
    limited,
    settings,
)

SMS = ChannelSpec(("phone",))
EMAIL = ChannelSpec(("email",))


def reached_by(offset: int, name: str = "a", **address: str) -> PendingInvitation:
    """One with these addresses and a recipient of its own."""
    made = {**invitation(offset, f"r{offset}", name), "address": address}
    return PendingInvitation.of(offset, made, NOW)  # type: ignore[arg-type]  # a copy


def of(spec: ChannelSpec | None, **more: object) -> LaneCampaign:
    return campaign("a", spec=spec, **more)


@pytest.mark.parametrize(
    ("spec", "required", "data", "reason"),
    [
        (None, (), {}, None),
        (SMS, (), {}, None),
        (EMAIL, (), {}, Reason.INVALID_RECIPIENT),
        (replace(EMAIL, anyone=True), (), {}, None),
        (ChannelSpec(("email", "phone")), (), {}, None),
        (replace(SMS, required=frozenset({"pom"})), (), {}, Reason.INVALID_DATA),
        (replace(SMS, required=frozenset({"pom"})), (), {"pom": " "}, Reason.INVALID_DATA),
        (replace(SMS, required=frozenset({"pom"})), (), {"pom": "1"}, None),
        (SMS, ("attributes.name",), {}, Reason.INVALID_DATA),
        (SMS, ("attributes.name",), {"attributes": {"name": "x"}}, None),
        (SMS, ("attributes.name",), {"attributes": "x"}, Reason.INVALID_DATA),
        (replace(SMS, fields=frozenset({"f"})), (), {"f": {"x": "y"}}, Reason.INVALID_DATA),
        (replace(SMS, maps=frozenset({"m"})), (), {"m": "x"}, Reason.INVALID_DATA),
        (
            replace(SMS, listed=(Listed("pom", "place", {"1": frozenset({"2"})}),)),
            (),
            {"place": "1", "pom": "3"},
            Reason.INVALID_DATA,
        ),
    ],
)
def test_an_invitation_is_held_against_what_its_campaign_needs_now(
    spec: ChannelSpec | None, required: tuple[str, ...], data: Any, reason: Reason | None
) -> None:
    made = {**invitation(1, "r", "a"), "data": data}
    assert unfit(made, of(spec, required=required)) is reason  # type: ignore[arg-type]


def test_a_campaign_that_changes_its_channel_ends_what_it_cannot_reach_and_calls_the_rest() -> None:
    """R2: no call is made for those, and the account's other campaigns notice nothing."""
    driver = Driver(lane(limited(of(EMAIL), campaign("b"), calls=1)))
    driver.lane.limiter.close_until(NOW + 5)
    mail, both = {"email": "a@b.example"}, {"email": "c@b.example", "phone": "+905550000001"}
    driver.read(reached_by(0, **mail), reached_by(1, **both), held(2, campaign="b"))
    driver.lane.reconfigure(limited(of(SMS), campaign("b"), calls=9, config_version="c2"), NOW + 1)
    driver.step(NOW + 50)
    assert driver.reasons == {"i0": "invalid_recipient"}
    assert sorted(driver.sent) == [1, 2]
    assert driver.lane.accounts.well("pisano")


def test_invitations_of_another_config_before_a_restart_end_so_too() -> None:
    driver = Driver(lane(settings(of(SMS), config_version="c2")))
    assert driver.read(reached_by(0, email="a@b.example")) == []
    driver.step()
    assert driver.reasons == {"i0": "invalid_recipient"}
    assert driver.lane.idle


@pytest.mark.parametrize("refusal", [BAD_RECIPIENT, REFUSED], ids=["divided", "on trial"])
def test_what_is_divided_or_on_trial_is_held_against_the_new_config_too(refusal: Outcome) -> None:
    driver = Driver(lane(settings(of(EMAIL), campaign("b"))))
    many = 4 if refusal is BAD_RECIPIENT else 1
    (batch,) = driver.read(*(reached_by(n, email=f"{n}@b.example") for n in range(many)))
    driver.lane.reconfigure(settings(of(SMS), campaign("b"), config_version="c2"), NOW)
    driver.answer(batch, refusal)
    driver.step(NOW + 40)
    driver.step(NOW + 41)
    assert set(driver.reasons.values()) == {"invalid_recipient"}
    assert len(driver.batches) == 1


def test_two_recipients_that_share_the_present_address_never_share_a_call() -> None:
    """Told apart by their phones before, they have one e-mail address."""
    driver = Driver(lane(settings(of(EMAIL), config_version="c2")))
    first, second = driver.read(
        reached_by(0, email="a@b.example", phone="+905550000001"),
        reached_by(1, email="a@b.example", phone="+905550000002"),
    )
    assert [len(first.invitations), len(second.invitations)] == [1, 1]


def test_one_of_an_earlier_config_has_the_others_compared_too() -> None:
    driver = Driver(lane(settings(of(EMAIL))))
    earlier = {
        **invitation(0, "r0", "a"),
        "address": {"email": "a@b.example"},
        "config_version": "c0",
    }
    first, second = driver.read(
        PendingInvitation.of(0, earlier, NOW),  # type: ignore[arg-type]  # a copy
        reached_by(1, email="a@b.example"),
    )
    assert [len(first.invitations), len(second.invitations)] == [1, 1]


def test_invitations_that_no_call_can_be_built_of_end_one_by_one() -> None:
    """A defect of the program: nothing was sent, and nothing follows for the account."""
    driver = Driver(lane(settings(campaign("a"), campaign("b"))))
    for n in range(6):
        (batch,) = driver.read(held(3 * n), held(3 * n + 1), held(3 * n + 2))
        broken = Outcome(Verdict.RETRY, counts=False, unbuilt=frozenset({3 * n}))
        driver.lane.answered(batch.id, broken, sent_at=None, at=NOW)
        (again,) = driver.step()
        driver.answer(again, ACCEPTED)
    assert [driver.reasons[f"i{n}"] for n in range(3)] == ["not_built", "accepted", "accepted"]
    assert driver.lane.accounts.well("pisano")
    assert driver.lane.accounts.campaigns["a"].run == 0


@pytest.mark.parametrize("refusal", [BAD_RECIPIENT, REFUSED], ids=["divided", "on trial"])
def test_invitations_of_parts_and_trials_that_cannot_be_built_end(refusal: Outcome) -> None:
    driver = Driver(lane(settings(campaign("a"))))
    many = 4 if refusal is BAD_RECIPIENT else 1
    (batch,) = driver.read(*(held(n) for n in range(many)))
    driver.answer(batch, refusal)
    driver.step(NOW + 40)
    for part in driver.batches:  # the list grows
        if part.id not in driver.lane.in_flight:
            continue
        offsets = frozenset(each.offset for each in part.invitations)
        broken = Outcome(Verdict.RETRY, counts=False, unbuilt=offsets)
        driver.lane.answered(part.id, broken, sent_at=None, at=NOW + 40)
        driver.step(NOW + 40)
    assert set(driver.reasons.values()) == {"not_built"}
    assert len(driver.reasons) == many
    assert driver.lane.idle
