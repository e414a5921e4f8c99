"""Set times of an input: the next one, over daylight saving, and what is no cron expression."""

from __future__ import annotations

import datetime as dt
import math
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.policy.due_time import DueTime
from consumer.policy.quiet_hours import QuietHours
from consumer.policy.quiet_text import quiet_time_from_text
from consumer.policy.set_times import SetTimes, check_cron

ISTANBUL, BERLIN = ZoneInfo("Europe/Istanbul"), ZoneInfo("Europe/Berlin")
WORKDAYS = SetTimes(("0 10 * * mon-fri", "30 14 * * mon-fri"), ISTANBUL)
DAY = 86_400.0


def at(text: str, zone: ZoneInfo = ISTANBUL) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-27T09:59:59.5", "2026-11-27T10:00"),  # a Friday
        ("2026-11-27T10:00", "2026-11-27T10:00"),
        ("2026-11-27T10:00:00.001", "2026-11-27T14:30"),
        ("2026-11-27T14:31", "2026-11-30T10:00"),
    ],
)
def test_the_next_set_time_is_the_first_of_all_expressions(now: str, due: str) -> None:
    assert WORKDAYS.next_from(at(now)) == at(due)
    assert WORKDAYS.next_from(at(now)) == at(due)  # remembered


def test_a_remembered_time_is_of_no_other_moment() -> None:
    times = SetTimes(("0 10 * * *",), ISTANBUL)
    first = times.next_from(at("2026-11-27T09:00"))
    assert times.next_from(at("2026-11-27T09:30")) == first
    assert times.next_from(at("2026-11-26T09:30")) == first - DAY
    assert times.next_from(at("2026-11-27T11:00")) == first + DAY


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-03-29T01:00", "2026-03-29T03:00"),  # 02:30 is not there: when the clock has leapt
        ("2026-10-25T01:00", "2026-10-25T02:30"),  # there twice: the first
        ("2026-10-25T02:31", "2026-10-26T02:30"),
    ],
)
def test_a_set_time_in_a_change_of_the_clock_comes_once(now: str, due: str) -> None:
    assert SetTimes(("30 2 * * *",), BERLIN).next_from(at(now, BERLIN)) == at(due, BERLIN)


@given(st.floats(1.7e9, 1.9e9))
def test_it_is_a_set_time_that_is_not_past(now: float) -> None:
    due = SetTimes(WORKDAYS.crons, ISTANBUL).next_from(now)
    moment = dt.datetime.fromtimestamp(due, ISTANBUL)
    assert now <= due <= now + 4 * DAY
    assert (moment.hour, moment.minute) in {(10, 0), (14, 30)}
    assert moment.weekday() < 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 10 * *", "five fields"),
        ("0 0 10 * * *", "five fields"),
        ("0 25 * * *", "no cron expression"),
        ("ten o'clock * * *", "no cron expression"),
        ("0 10 30 2 *", "no cron expression"),
        ("0 0 */31 2 mon#5", "never comes"),
        ("0 10 29 2 mon-fri", ""),
    ],
)
def test_what_is_no_set_time_is_refused(text: str, message: str) -> None:
    if not message:
        check_cron(text)
        return
    with pytest.raises(ValueError, match=message):
        check_cron(text)


def test_the_longest_gap_is_that_of_the_closest_expression() -> None:
    assert WORKDAYS.longest_gap() == 3 * DAY
    assert SetTimes(("0 10 1 1 *", "0 10 * * *"), ISTANBUL).longest_gap() == DAY
    assert SetTimes(("0 10 1 1 *",), ISTANBUL).longest_gap() == 366 * DAY


def test_an_invitation_is_due_at_a_set_time_after_its_delay_and_not_in_the_past() -> None:
    due = DueTime(delay=3600.0, set_times=SetTimes(("0 10 * * *",), ISTANBUL))
    event = at("2026-11-27T08:30")
    assert due.compute(event, BERLIN, "k") == at("2026-11-27T10:00")
    assert due.compute(event, BERLIN, "k", at("2026-11-27T12:00")) == at("2026-11-28T10:00")
    assert due.compute(at("2026-11-27T09:30"), BERLIN, "k") == at("2026-11-28T10:00")


def test_quiet_hours_move_a_set_time_and_may_never_end() -> None:
    morning = QuietHours((quiet_time_from_text("09:00-11:00"),))
    due = DueTime(quiet=morning, set_times=SetTimes(("0 10 * * *",), ISTANBUL))
    assert due.compute(at("2026-11-27T08:30"), ISTANBUL, "k") == at("2026-11-27T11:00")
    always = QuietHours((quiet_time_from_text("00:00-24:00"),))
    due = DueTime(quiet=always, set_times=SetTimes(("0 10 * * *",), ISTANBUL))
    assert due.compute(at("2026-11-27T08:30"), ISTANBUL, "k") == math.inf
