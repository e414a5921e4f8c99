"""A transaction is made smaller until Kafka takes it in time, whatever that needs."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from consumer.kafka.transaction_size import MOST_TIMEOUT, QUICK, SLOW, TransactionSize

MOST, LEAST_TIMEOUT = 5_000, 10.0
FAILURES = math.ceil(math.log2(MOST)) + 1 + math.ceil(math.log2(MOST_TIMEOUT / LEAST_TIMEOUT)) + 1


def size() -> TransactionSize:
    return TransactionSize(MOST, LEAST_TIMEOUT)


def failed_until_alone(found: TransactionSize) -> TransactionSize:
    while found.records > 1:
        found.failed(found.records, LEAST_TIMEOUT)
    return found


def test_quick_transactions_carry_all_that_a_poll_brings() -> None:
    found = size()
    for carried in (1, 5_000, 3, 5_000):
        found.committed(carried, 0.01)
    assert (found.records, found.timeout) == (MOST, LEAST_TIMEOUT)


def test_transaction_that_was_aborted_for_its_length_is_halved_from_what_it_carried() -> None:
    found = size()
    found.failed(150, 10.0)
    assert found.records == 75
    found.failed(75, 10.0)
    assert found.records == 37


def test_slow_commit_is_halved_before_the_next_one_is_aborted() -> None:
    found = size()
    found.committed(1_000, SLOW + 0.1)
    assert found.records == 500


def test_commit_that_is_neither_quick_nor_slow_changes_nothing() -> None:
    found = size()
    found.failed(1_000, 10.0)
    for seconds in (QUICK, SLOW):
        found.committed(500, seconds)
        assert found.records == 500


def test_quick_commits_let_it_grow_slowly_if_they_say_something_about_its_size() -> None:
    found = failed_until_alone(size())
    grown = []
    for _ in range(6):
        found.committed(found.records, 0.1)
        grown.append(found.records)
    assert grown == [2, 3, 4, 5, 6, 7]
    found.failed(80, 10.0)
    assert found.records == 3, "never more than it was"
    found.committed(1, 0.1)
    assert found.records == 3, "one record tells nothing of three"
    for _ in range(100):
        found.committed(found.records, 0.1)
    assert found.records == MOST


def test_failure_before_its_time_says_nothing_about_the_size() -> None:
    """Fenced by a rival, dropped by the group: a smaller transaction would end the same."""
    found = size()
    for _ in range(10):
        found.failed(5_000, SLOW - 0.1)
        found.failed(1, 0.1)
    assert (found.records, found.timeout) == (MOST, LEAST_TIMEOUT)


def test_single_record_that_fails_twice_gets_more_time_and_at_last_the_most() -> None:
    """Once may be chance: a new connection is not held back for what the former one has sent."""
    found = failed_until_alone(size())
    timeouts = []
    for _ in range(7):
        found.failed(1, found.timeout)
        timeouts.append(found.timeout)
    assert timeouts == [10.0, 20.0, 40.0, 80.0, 160.0, MOST_TIMEOUT, MOST_TIMEOUT]


def test_single_record_that_takes_most_of_its_timeout_gets_more_before_it_fails() -> None:
    found = failed_until_alone(size())
    found.committed(1, 9.0)
    assert (found.records, found.timeout) == (1, 20.0)
    found.committed(1, 9.0)
    assert found.timeout == 20.0


def test_long_timeout_falls_back_with_quick_transactions() -> None:
    """While it is long, a killed process hides for so long what comes behind its transaction."""
    found = failed_until_alone(size())
    for _ in range(4):
        found.failed(1, found.timeout)
    assert found.timeout == 80.0
    for _ in range(3):
        found.committed(1, 0.1)
    assert found.timeout == LEAST_TIMEOUT


def test_transaction_without_records_gets_more_time_and_stays_as_it_is() -> None:
    """A lane's checkpoint does not become smaller with fewer results beside it."""
    found = size()
    found.committed(0, 9.0)
    found.failed(0, 30.0)
    found.failed(0, 30.0)
    assert (found.records, found.timeout) == (MOST, 40.0)


def test_failure_of_several_records_is_not_one_of_a_single_record() -> None:
    found = failed_until_alone(size())
    found.failed(1, 10.0)
    found.failed(2, 10.0)
    found.failed(1, 10.0)
    assert found.timeout == LEAST_TIMEOUT


@given(
    backlog=st.integers(1, 20_000),
    record=st.floats(0.0001, MOST_TIMEOUT - 10),
    fixed=st.floats(0.001, 5.0),
)
def test_whatever_a_record_takes_the_backlog_ends_after_a_bounded_number_of_failures(
    backlog: int, record: float, fixed: float
) -> None:
    """A Kafka that takes `fixed` seconds and `record` for each record, and aborts at the timeout
    that the producer was made with."""
    found, left, failures, commits = size(), min(backlog, 200 + int(200 / record)), 0, 0
    timeout = found.timeout
    while left:
        carried = min(found.records, left)
        seconds = fixed + carried * record
        if seconds > timeout:
            found.failed(carried, timeout)
            failures, timeout = failures + 1, found.timeout
            assert failures <= FAILURES
        else:
            found.committed(carried, seconds)
            left, commits = left - carried, commits + 1
    assert commits


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 2 * MOST), st.floats(0, 1_000)), max_size=200)
)
def test_bounds_hold_whatever_happens(story: list[tuple[bool, int, float]]) -> None:
    found = size()
    for committed, carried, seconds in story:
        (found.committed if committed else found.failed)(carried, seconds)
        assert 1 <= found.records <= MOST
        assert LEAST_TIMEOUT <= found.timeout <= MOST_TIMEOUT
