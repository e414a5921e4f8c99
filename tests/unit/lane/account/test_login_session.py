"""A vendor's session: one login at a time, ahead of expiry, never a storm."""

from __future__ import annotations

import random

import pytest

from consumer.lane.account.circuit_breaker import PACES
from consumer.lane.account.login_session import LoginSession
from tests.support.lanes import NOW


@pytest.fixture
def rng() -> random.Random:
    return random.Random(1)


def opened() -> LoginSession:
    session = LoginSession()
    session.opened(NOW, NOW + 100)
    return session


def test_a_new_session_wants_a_login_and_serves_no_call() -> None:
    assert LoginSession().wants_login(NOW)
    assert not LoginSession().usable(NOW)


def test_one_login_at_a_time() -> None:
    session = LoginSession(logging_in=True)
    assert not session.wants_login(NOW)
    session.opened(NOW, NOW + 100)
    assert not session.logging_in


def test_a_session_is_refreshed_ahead_of_its_end_while_it_still_serves() -> None:
    session = opened()
    assert session.next_login() == NOW + 90
    assert not session.wants_login(NOW + 89)
    assert session.wants_login(NOW + 90)
    assert session.usable(NOW + 97)
    assert not session.usable(NOW + 98)


def test_a_refused_login_waits_longer_each_time(rng: random.Random) -> None:
    session, waits = LoginSession(logging_in=True), []
    for _ in range(12):
        session.refused(NOW, rng)
        assert not session.logging_in
        waits.append(session.next_login() - NOW)
    assert not session.wants_login(NOW)
    assert max(waits) > 10 * max(waits[:2])


def test_the_first_refused_token_is_replaced_at_once(rng: random.Random) -> None:
    session = opened()
    session.invalidate(NOW + 5, NOW + 4, rng)
    assert not session.usable(NOW + 5)
    assert session.wants_login(NOW + 5)


def test_fresh_tokens_that_are_refused_too_back_off(rng: random.Random) -> None:
    session = opened()
    session.invalidate(NOW + 5, NOW + 4, rng)
    session.opened(NOW + 6, NOW + 100)
    session.invalidate(NOW + 8, NOW + 7, rng)
    assert session.next_login() > NOW + 8


def test_an_accepted_call_proves_the_token(rng: random.Random) -> None:
    """The next refusal is a first one again."""
    session = opened()
    session.invalidate(NOW + 5, NOW + 4, rng)
    session.opened(NOW + 6, NOW + 100)
    session.proved()
    session.invalidate(NOW + 8, NOW + 7, rng)
    assert session.wants_login(NOW + 8)


def test_an_answer_to_a_call_older_than_the_session_says_nothing(rng: random.Random) -> None:
    session = opened()
    session.invalidate(NOW + 5, NOW - 1, rng)
    assert session.usable(NOW + 5)


def test_many_calls_refused_for_one_token_are_one_failure(rng: random.Random) -> None:
    session = opened()
    for _ in range(5):
        session.invalidate(NOW + 5, NOW + 4, rng)
    assert session.failures == 1


def test_a_session_of_another_account_is_forgotten_with_its_failures(rng: random.Random) -> None:
    session = opened()
    for _ in range(9):
        session.refused(NOW, rng)
    session.forget()
    assert not session.usable(NOW)
    assert session.wants_login(NOW)
    session.opened(NOW, NOW + 100)
    session.invalidate(NOW + 5, NOW + 4, rng)
    assert session.wants_login(NOW + 5)


def test_a_refused_login_is_paced_like_a_refused_call() -> None:
    """It is mended by people, and each try costs a permit."""
    session = LoginSession()
    session.refused(NOW, random.Random(1), denied=True)
    first, _ = PACES["refused"]
    assert first / 2 <= session.next_login() - NOW <= first
    session.refused(NOW, random.Random(1), denied=True)
    assert session.next_login() - NOW >= first
