"""The contact store between a lane and its calls: nothing leaves that it has not granted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from consumer.lane.dispatch.contact_seal import SEAL_LASTS
from consumer.lane.settlement.reservations import RETRY_AFTER
from consumer.lane.state.commands import (
    Batch,
    Command,
    ContactsAnswered,
    ReserveContacts,
    SealContacts,
)
from consumer.policy.contacts.request import GRANTED, LOST, Decision, Verdict
from consumer.policy.due_time import DueTime
from consumer.policy.quiet_hours import QuietHours, QuietTime
from consumer.policy.route_timing import RouteTiming
from consumer.records.channel import Channel, ChannelSpec
from consumer.records.result import Reason
from tests.support.lanes import (
    ACCEPTED,
    BAD_RECIPIENT,
    NOW,
    PARKED,
    REFUSED,
    TROUBLE,
    Driver,
    campaign,
    held,
    lane,
    letter,
    limited,
    settings,
)

FULL = Decision(Verdict.REFUSED, Reason.CONTACT_LIMIT, "everyone", NOW + 86400, blocked_by="i0")
WAIT = Decision(Verdict.WAIT, rule="sms", eligible_at=NOW + 7200)
WAIT_OPEN = Decision(Verdict.WAIT, rule="sms")
OUTRANKED = Decision(Verdict.REFUSED, Reason.OUTRANKED, blocked_by="i9")


@dataclass
class Desk(Driver):
    """A driver whose lane asks a contact store; the test answers for it."""

    reserving: list[ReserveContacts] = field(default_factory=list)
    sealing: list[SealContacts] = field(default_factory=list)

    def _carry_out(self, command: Command) -> None:
        if isinstance(command, ReserveContacts):
            self.reserving.append(command)
        elif isinstance(command, SealContacts):
            self.sealing.append(command)
        else:
            super()._carry_out(command)

    def reserved(
        self, decisions: Mapping[int, Decision] | None = None, now: float = NOW
    ) -> list[Batch]:
        """The store answers the oldest open question about a reservation; all else is granted."""
        return self._answered(self.reserving.pop(0), decisions, now, sealing=False)

    def sealed(
        self, decisions: Mapping[int, Decision] | None = None, now: float = NOW
    ) -> list[Batch]:
        """The store answers about the call that is to leave."""
        return self._answered(self.sealing.pop(0), decisions, now, sealing=True)

    def unavailable(self, now: float = NOW) -> list[Batch]:
        """The store does not answer any open question."""
        for questions, sealing in ((self.reserving, False), (self.sealing, True)):
            if questions:
                questions.pop()
                self.lane.contacts_answered(ContactsAnswered(None, sealing), now)
        return self.step(now)

    def _answered(
        self,
        question: ReserveContacts | SealContacts,
        decisions: Mapping[int, Decision] | None,
        now: float,
        *,
        sealing: bool,
    ) -> list[Batch]:
        said = {asked.offset: GRANTED for asked in question.invitations} | dict(decisions or {})
        self.lane.contacts_answered(ContactsAnswered(said, sealing), now)
        return self.step(now)


def desk(**changes: object) -> Desk:
    """A desk of an unlimited lane."""
    return Desk(lane(settings(contacts=True, **changes)))


def test_a_call_leaves_once_the_store_has_reserved_and_sealed_it() -> None:
    driver = desk()
    assert driver.read(held(1), held(2)) == []
    assert [asked.offset for asked in driver.reserving[0].invitations] == [1, 2]
    assert driver.reserved() == []
    (batch,) = driver.sealed()
    assert [pending.offset for pending in batch.invitations] == [1, 2]
    assert batch.asked_at == NOW
    driver.answer(batch, ACCEPTED)
    assert driver.reasons == {"i1": "accepted", "i2": "accepted"}


def test_what_a_rule_refuses_ends_with_the_rule_and_the_time() -> None:
    driver = desk()
    driver.read(held(1), held(2), held(3), held(4))
    driver.reserved({2: FULL, 3: Decision(Verdict.REFUSED, Reason.DUPLICATE, duplicate_of="i1")})
    (batch,) = driver.sealed({4: OUTRANKED})
    assert [pending.offset for pending in batch.invitations] == [1]
    driver.step()
    by_id = {result["id"]: result for result in driver.results}
    assert by_id["i2"]["reason"] is Reason.CONTACT_LIMIT
    assert (by_id["i2"]["rule"], by_id["i2"]["blocked_by"]) == ("everyone", "i0")
    assert by_id["i2"]["eligible_at"] == "2025-11-23T08:26:40.000Z"
    assert by_id["i3"]["duplicate_of"] == "i1"
    assert (by_id["i4"]["reason"], by_id["i4"]["blocked_by"]) == (Reason.OUTRANKED, "i9")


def test_a_call_that_is_refused_as_a_whole_uses_no_permit() -> None:
    driver = Desk(lane(limited(calls=1, contacts=True)))
    driver.read(held(1))
    driver.reserved()
    assert driver.sealed({1: FULL}) == []
    driver.read(held(2))
    driver.reserved()
    assert len(driver.sealed()) == 1


def test_one_that_waits_for_a_rule_is_delayed_and_expires_at_the_limit() -> None:
    driver = desk()
    driver.read(held(1), held(2))
    driver.reserved({1: WAIT, 2: WAIT_OPEN})
    first, second = driver.put_off
    assert (first.due_at, first.waits_for) == (NOW + 7200, "sms")
    assert second.due_at == NOW + 60
    late = held(3, expires_at=NOW - 1)
    late.waits_for = "sms"
    driver.read(late)
    assert driver.results[0]["reason"] is Reason.EXPIRED_AT_LIMIT
    assert driver.results[0]["rule"] == "sms"


def test_nothing_leaves_while_the_store_is_unavailable() -> None:
    driver = desk()
    driver.read(held(1))
    assert driver.unavailable() == []
    assert driver.reserving == []
    assert driver.lane.wake_at <= NOW + RETRY_AFTER
    driver.step(NOW + RETRY_AFTER)
    driver.reserved(now=NOW + RETRY_AFTER)
    assert driver.unavailable(NOW + RETRY_AFTER) == []
    assert driver.sealing == []
    driver.step(NOW + 2 * RETRY_AFTER)
    assert len(driver.sealed(now=NOW + 2 * RETRY_AFTER)) == 1


def test_reading_stops_while_too_many_wait_for_the_store() -> None:
    driver = desk(max_buffered=4)
    driver.log = [held(offset) for offset in range(1, 9)]
    driver.poll(most=2)
    assert driver.paused
    driver.unavailable()
    assert driver.paused
    driver.step(NOW + RETRY_AFTER)
    driver.reserved(now=NOW + RETRY_AFTER)
    assert not driver.paused


def test_a_lost_reservation_is_asked_for_again() -> None:
    driver = desk()
    driver.read(held(1))
    driver.reserved()
    assert driver.sealed({1: LOST}) == []
    driver.reserved()
    assert len(driver.sealed()) == 1


def test_a_granted_call_waits_for_its_permit_and_no_longer_than_the_seal_lasts() -> None:
    driver = Desk(lane(limited(calls=1, contacts=True)))
    driver.read(held(1))
    driver.reserved()
    driver.lane.limiter.take_permit(NOW)  # as a login would
    assert driver.sealed() == []
    assert driver.lane.wake_at <= NOW + SEAL_LASTS
    driver.lane.limiter.call_ended(NOW)
    assert driver.step(NOW + SEAL_LASTS) == []
    assert driver.lane.wake_at > NOW + SEAL_LASTS, "the lane would wake for ever at the same time"
    driver.step(NOW + 30)
    assert len(driver.sealed(now=NOW + 30)) == 1


def test_what_expires_while_the_store_is_asked_ends() -> None:
    driver = desk()
    driver.read(held(1, expires_at=NOW + 30))
    assert driver.reserved(now=NOW + 31) == []
    assert driver.reasons == {"i1": "expired_waiting"}


def test_a_store_that_answers_no_question_about_a_call_changes_nothing() -> None:
    driver = desk()
    driver.lane._sealing.contact_seal.put_back(NOW)
    driver.lane.abandon(letter(7), "a")
    assert driver.step() == []


def test_what_expires_while_the_store_is_down_ends() -> None:
    driver = desk()
    driver.read(held(1, expires_at=NOW + 20))
    driver.unavailable()
    driver.step(NOW + 31)
    driver.step(NOW + 31)
    assert driver.reasons == {"i1": "expired_waiting"}


def test_a_campaign_that_was_parked_meanwhile_keeps_its_call() -> None:
    driver = desk(max_in_flight=2)
    driver.read(held(1))
    driver.reserved()
    (batch,) = driver.sealed()
    driver.read(held(2))
    driver.reserved()
    assert driver.sealing
    driver.answer(batch, PARKED)
    assert driver.sealed() == []
    assert {delayed.invitation.offset for delayed in driver.put_off} == {1, 2}


def test_a_campaign_that_left_the_config_keeps_its_call() -> None:
    driver = desk()
    driver.read(held(1))
    driver.reserved()
    driver.lane.reconfigure(settings(campaign("b"), contacts=True), NOW)
    assert driver.sealed() == []
    assert [delayed.invitation.offset for delayed in driver.put_off] == [1]


@pytest.mark.parametrize("leaves", [False, True])
def test_a_campaign_that_cannot_be_called_any_more_delays_what_the_store_then_grants(
    leaves: bool,
) -> None:
    """It leaves the config, or the vendor parks it, while the store is asked."""
    driver = desk(max_in_flight=2)
    driver.read(held(1))
    driver.reserved()
    (batch,) = driver.sealed()
    driver.read(held(2))
    if leaves:
        driver.lane.reconfigure(settings(campaign("b"), contacts=True), NOW)
    else:
        driver.answer(batch, PARKED)
    assert driver.reserved() == []
    assert 2 in {delayed.invitation.offset for delayed in driver.put_off}


def test_a_campaign_that_has_another_channel_meanwhile_checks_its_invitations_again() -> None:
    """They have a phone, and its calls go by e-mail now: none could be built."""
    driver = desk()
    driver.read(held(1))
    driver.reserved()
    by_mail = campaign("a", channel=Channel.EMAIL, spec=ChannelSpec(("email",)))
    driver.lane.reconfigure(settings(by_mail, contacts=True, config_version="c2"), NOW)
    assert driver.sealed() == []
    driver.step(NOW + 1)
    assert [result["reason"] for result in driver.results] == [Reason.INVALID_RECIPIENT]


def test_an_account_that_fails_meanwhile_keeps_a_full_call() -> None:
    driver = Desk(lane(settings(campaign("a", max_batch=2), max_in_flight=8, contacts=True)))
    driver.read(*(held(offset) for offset in range(1, 13)))
    driver.reserved()
    first = [driver.sealed()[0] for _ in range(4)]
    assert driver.sealing
    for batch in first:
        driver.answer(batch, TROUBLE)
    assert driver.sealed() == []
    assert len(driver.batches) == 4


def test_a_retry_is_sealed_again() -> None:
    driver = desk()
    driver.read(held(1))
    driver.reserved()
    (batch,) = driver.sealed()
    driver.answer(batch, TROUBLE)
    driver.step(NOW + 600)
    assert driver.sealing
    assert driver.sealed({1: FULL}, NOW + 600) == []
    assert driver.reasons == {"i1": "contact_limit"}


def test_parts_of_a_divided_call_are_sealed_each() -> None:
    driver = desk()
    driver.read(*(held(offset) for offset in range(1, 9)))
    driver.reserved()
    (batch,) = driver.sealed()
    driver.answer(batch, BAD_RECIPIENT)
    for _ in range(40):
        if not driver.sealing:
            break
        refused = (
            {2: FULL} if 2 in {asked.offset for asked in driver.sealing[0].invitations} else {}
        )
        for part in driver.sealed(refused):
            bad = any(pending.offset == 5 for pending in part.invitations)
            driver.answer(part, BAD_RECIPIENT if bad else ACCEPTED)
    assert driver.reasons["i2"] == "contact_limit"
    assert driver.reasons["i5"] == "vendor_rejected"
    assert sum(reason == "accepted" for reason in driver.reasons.values()) == 6


def test_a_part_waits_while_the_store_is_unavailable() -> None:
    driver = desk()
    driver.read(held(1), held(2))
    driver.reserved()
    (batch,) = driver.sealed()
    driver.answer(batch, BAD_RECIPIENT)
    assert driver.unavailable() == []
    driver.step(NOW + RETRY_AFTER)
    assert len(driver.sealed(now=NOW + RETRY_AFTER)) == 1


@pytest.mark.parametrize("refused", [True, False])
def test_a_trial_is_sealed_like_a_call(refused: bool) -> None:
    driver = desk()
    driver.read(held(1))
    driver.reserved()
    (batch,) = driver.sealed()
    driver.answer(batch, REFUSED)
    for minutes in range(1, 60):
        now = NOW + 60 * minutes
        driver.step(now)
        if driver.sealing:
            left = driver.sealed({1: FULL} if refused else None, now)
            assert len(left) == (0 if refused else 1)
            return
    raise AssertionError("never tried again")


def test_a_record_that_became_a_dead_letter_is_asked_for_no_more() -> None:
    driver = desk()
    driver.read(held(1))
    driver.lane.abandon(letter(1), "a")
    assert driver.reserved() == []
    driver.read(held(2))
    driver.unavailable()
    driver.lane.abandon(letter(2), "a")
    driver.step(NOW + RETRY_AFTER)
    assert driver.reserving == []
    assert driver.lane.buffer.buffered == 0


def test_a_config_without_contact_rules_lets_those_go_that_wait() -> None:
    driver = desk()
    driver.read(held(1))
    driver.unavailable()
    driver.lane.reconfigure(settings(), NOW)
    assert len(driver.step()) == 1


def test_shadow_ends_at_the_call_and_not_before() -> None:
    shadow = held(1)
    driver = desk(routes={shadow.route: RouteTiming(shadow=True)})
    driver.read(shadow)
    assert driver.reserved() == []
    assert driver.reasons == {"i1": "shadow"}


def test_calls_in_flight_are_known_once_the_former_owners_are_settled() -> None:
    driver = desk()
    driver.read(held(1))
    driver.reserved()
    driver.sealed()
    assert driver.lane.knows_in_flight
    heir = Desk(lane(settings(contacts=True), driver.checkpoint))
    assert not heir.lane.knows_in_flight
    heir.read(held(1))
    assert heir.reasons == {"i1": "owner_lost"}
    assert heir.lane.knows_in_flight


def test_a_new_owner_reads_on_to_what_is_in_doubt_though_the_store_grants_nothing() -> None:
    """The store waits until the lane has settled its batches in doubt, and so must not stop it."""
    slow, single = campaign("a", max_batch=100), campaign("b", max_batch=1)
    former = Desk(lane(settings(slow, single, contacts=True, linger=100.0)))
    log = [*(held(offset) for offset in range(1, 9)), held(9, campaign="b")]
    former.read(*log)
    former.reserved()
    former.sealed()
    assert former.sent == [9]
    small = settings(slow, single, contacts=True, linger=100.0, max_buffered=4)
    heir = Desk(lane(small, former.checkpoint), log=log)
    for _ in range(9):
        heir.poll(most=1)
    assert heir.reasons == {"i9": "owner_lost"}
    assert heir.lane.knows_in_flight
    assert heir.lane.buffer.buffered == 2
    asked = set[int]()
    while heir.reserving:
        asked |= {pending.offset for pending in heir.reserving[0].invitations}
        heir.reserved(dict.fromkeys(asked, FULL))
        heir.poll(most=1)
        heir.poll(most=1)
    assert asked == set(range(1, 9))


def test_a_call_that_the_store_is_asked_about_counts_as_with_the_vendor() -> None:
    """A former generation may have granted it: its word is on the way, and the call leaves."""
    driver = desk()
    driver.read(held(1))
    driver.reserved()
    assert [pending.offset for pending in driver.lane.with_vendor] == [1]
    driver.sealed()
    assert [pending.offset for pending in driver.lane.with_vendor] == [1]
    driver.answer(driver.batches[0], ACCEPTED)
    assert driver.lane.with_vendor == []


def test_quiet_hours_that_begin_while_the_store_is_asked_hold_the_call_back() -> None:
    quiet_at = dt.datetime.fromtimestamp(NOW + 2, dt.UTC).time()
    quiet = QuietHours((QuietTime(quiet_at, dt.time(23)),))
    shop = held(1)
    driver = desk(routes={shop.route: RouteTiming(DueTime(quiet=quiet))})
    driver.read(shop)
    driver.reserved()
    assert driver.sealed(now=NOW + 3) == []
    assert [delayed.invitation.offset for delayed in driver.put_off] == [1]


def test_what_the_store_has_not_granted_is_part_of_the_bounds() -> None:
    driver = desk(max_buffered=3)
    driver.log = [held(offset) for offset in range(1, 9)]
    most = 0
    for _ in range(20):
        driver.poll(most=2)
        if driver.reserving:
            driver.reserved()
        if driver.sealing:
            driver.sealed()
        most = max(most, driver.lane.buffer.buffered)
    assert most == 3
    assert driver.sent == [1, 2, 3]


def test_a_large_invitation_waits_for_the_store_alone() -> None:
    driver = desk(max_buffered_bytes=1)
    driver.read(held(1), held(2))
    assert [asked.offset for asked in driver.reserving[0].invitations] == [1]
    assert driver.lane.buffer.read_plan.spilled == 1


def test_the_first_invitations_that_exceed_memory_are_spilled_and_not_lost() -> None:
    """No window is there to make room for them: they are near their end."""
    driver = desk(max_buffered_bytes=1)
    driver.read(*(held(offset, expires_at=NOW + 30) for offset in (1, 2, 3)))
    assert [asked.id for asked in driver.reserving[0].invitations] == ["i1"]
    assert driver.lane.buffer.buffered == 1
    assert driver.lane.buffer.read_plan.spilled == 2


def test_a_slow_commit_before_the_question_takes_nothing_from_the_seal() -> None:
    """The commit of the same tick lasts 6 s, and the store is asked after it."""
    driver = desk()
    driver.read(held(1))
    driver.reserved()
    said = {1: GRANTED}
    driver.lane.contacts_answered(ContactsAnswered(said, sealing=True, asked_at=NOW + 6), NOW + 7)
    (batch,) = driver.step(NOW + 7)
    assert batch.asked_at == NOW + 6
