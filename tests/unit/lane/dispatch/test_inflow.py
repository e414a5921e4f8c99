"""Without a quota a window waits for what is about to be read, and for nothing else."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.lane.dispatch.inflow import FILL_AT_MOST, LULL
from consumer.lane.state.commands import SealReason
from tests.support import lanes
from tests.support.lanes import ACCEPTED, NOW, TROUBLE, Driver, campaign, held, lane, limited

ASKED = 10


def driver(**changes: object) -> Driver:
    """A lane without a quota, with two campaigns whose calls take four."""
    known = campaign("a", max_batch=4), campaign("b", max_batch=4)
    return Driver(lane(lanes.settings(*known, **changes)))


def behind(one: Driver, now: float = NOW) -> None:
    """More waits in the log than the poll took."""
    one.lane.polled(ASKED, ASKED, now)


def test_while_more_is_read_a_window_waits_until_it_is_full() -> None:
    one = driver()
    behind(one)
    assert one.read(held(1), held(2)) == []
    behind(one, NOW + 0.5)
    [full] = one.read(held(3), held(4), now=NOW + 0.5)
    assert (len(full.invitations), full.why) == (4, SealReason.FULL)


def test_at_the_end_of_the_log_a_window_goes_after_the_lull() -> None:
    one = driver()
    behind(one)
    one.lane.polled(ASKED // 2, ASKED, NOW + 0.5)
    assert one.read(held(1)) == []
    assert one.lane.wake_at == NOW + LULL
    [few] = one.step(NOW + LULL)
    assert (len(few.invitations), few.why) == (1, SealReason.LINGER)


def test_where_few_records_come_no_window_waits() -> None:
    one = driver()
    one.lane.polled(ASKED // 2, ASKED, NOW)
    assert len(one.read(held(1))) == 1


def test_a_window_waits_on_only_so_long_after_its_last_call() -> None:
    """The reader never reaches the end of the log; campaign b has few customers."""
    one, calls = driver(), list[float]()
    for turn in range(40):
        now = NOW + turn / 2
        behind(one, now)
        batches = one.read(held(2 * turn, campaign="b"), now=now)
        calls += [now for _ in batches]
        for batch in batches:
            one.answer(batch, ACCEPTED, now)
    assert calls == [NOW + 1.5 + 2 * number for number in range(10)]  # full ones
    assert one.read(held(99, campaign="a"), now=NOW + 19.5)  # a's first customer for long


def test_a_window_that_does_not_fill_goes_in_time() -> None:
    one, calls = driver(), list[float]()
    for turn in range(60):
        now = NOW + turn / 2
        behind(one, now)
        arrived = [held(turn, campaign="b")] if turn % 6 == 0 else []
        for batch in one.read(*arrived, now=now):
            calls.append(now - NOW)
            one.answer(batch, ACCEPTED, now)
    assert calls == [5.0, 10.0, 15.0, 20.0, 25.0]


def test_one_that_expires_soon_goes_at_once() -> None:
    one = driver()
    behind(one)
    assert one.read(held(1, expires_at=NOW + FILL_AT_MOST + 1)) == []
    assert one.lane.wake_at == NOW + 1
    assert len(one.read(held(2, expires_at=NOW + FILL_AT_MOST))) == 1


def test_what_failed_waits_for_its_backoff_alone() -> None:
    one = driver()
    behind(one)
    [batch] = one.read(*(held(offset) for offset in range(4)))
    one.answer(batch, TROUBLE)
    one.lane.windows["a"].take(3)
    for step in range(1, 8):
        behind(one, NOW + step / 2)
    assert one.lane.windows["a"].not_before < NOW + 3.5
    [again] = one.step(NOW + 3.5)
    assert len(again.invitations) == 1


@pytest.mark.parametrize("breaker", ["account", "campaign"])
def test_a_probe_does_not_wait(breaker: str) -> None:
    one = driver()
    behind(one)
    accounts = one.lane.accounts
    if breaker == "campaign":
        accounts.campaigns["a"].open_by_recovery(NOW - 1)
    else:
        account, rng = accounts.breakers["pisano"], random.Random(1)
        while account.closed:
            account.record_failure(NOW - 1, NOW - 1, rng, "b")
        account.retry(NOW)
    [probe] = one.read(held(1), held(2))
    assert len(probe.invitations) == 1


@pytest.mark.parametrize("bound", [{"max_buffered": 4}, {"max_buffered_bytes": 5_000}])
def test_where_memory_is_nearly_full_no_window_waits(bound: dict[str, int]) -> None:
    one = driver(**bound)
    behind(one)
    assert one.read(held(1), held(2), held(3)) == []
    assert len(one.read(held(4, campaign="b"))) == 2


def test_where_nothing_is_read_no_window_waits() -> None:
    one = Driver(lane(lanes.settings(campaign("a", max_batch=4), max_buffered=99, max_spilled=0)))
    behind(one)
    assert one.read(held(1)) == []
    assert one.lane.paused
    assert len(one.step()) == 1


def test_under_a_quota_a_poll_changes_nothing() -> None:
    one = Driver(lane(limited(campaign("a", max_batch=4))))
    behind(one)
    assert len(one.read(held(1))) == 1


def test_a_config_may_bring_limits_and_take_them() -> None:
    one = driver()
    free = one.lane.settings
    behind(one)
    one.lane.reconfigure(limited(*free.campaigns.values()), NOW)
    assert one.read(held(1)) == []  # its price
    one.lane.reconfigure(free, NOW)
    behind(one)
    assert one.read(held(2)) == []
    one.lane.reconfigure(free, NOW)  # as it was: the inflow goes on
    assert one.step() == []
    assert len(one.step(NOW + LULL)) == 1


def test_an_invitation_of_no_known_campaign_waits_for_nothing() -> None:
    one = driver()
    behind(one)
    assert one.read(held(1, campaign="gone", expires_at=NOW + 9)) == []
    assert one.step(NOW + 0.5) == []


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 10**6), st.booleans())
def test_no_campaign_waits_longer_than_its_bound(seed: int, dense: bool) -> None:
    """Whatever comes, and whether polls were full: a campaign with customers is called at least
    every `FILL_AT_MOST`, and at once where few records come."""
    rng, one, offset = random.Random(seed), driver(max_in_flight=9), 0
    called = dict.fromkeys("ab", NOW)
    for turn in range(80):
        now = NOW + turn / 4
        if dense and rng.random() < 0.7:
            behind(one, now)
        arrived = [
            held(offset := offset + 1, campaign=rng.choice("aaab"), arrived=NOW - 9)
            for _ in range(rng.choice((0, 0, 0, 1, 9)))
        ]
        for batch in one.read(*arrived, now=now):
            called[batch.campaign] = now
            one.answer(batch, ACCEPTED, now)
        for name in called:
            window = one.lane.windows.get(name)
            if window is None or not window.count:
                called[name] = now
            else:  # a quarter more: the first poll that was full came after the turn before
                assert dense
                assert now < called[name] + FILL_AT_MOST + 0.25
                assert window.count < window.max_batch
