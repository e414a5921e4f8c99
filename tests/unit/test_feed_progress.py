"""How far behind a reader lies, by the ends and positions of each look."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consumer.contacts.feed_progress import MOST_LOOKS, FeedProgress

ONE, TWO = ("crm", 0), ("crm", 1)

STEPS = st.lists(
    st.tuples(st.floats(0.1, 100, allow_nan=False), st.integers(0, 5), st.integers(0, 5)),
    min_size=1,
    max_size=60,
)


@given(STEPS)
def test_the_lag_counts_from_the_last_look_whose_end_is_reached(
    steps: list[tuple[float, int, int]],
) -> None:
    """By the formula of the module, over all looks."""
    progress, now, end, position = FeedProgress(), 0.0, 0, 0
    seen: list[tuple[float, int]] = []
    for seconds, written, read in steps:
        now, end = now + seconds, end + written
        position = min(end, position + read)
        seen.append((now, end))
        progress.look(now, {ONE: position}, {ONE: end})
        reached = [at for at, there in seen if there <= position]
        assert progress.lag == now - max(reached, default=seen[0][0])
        assert progress.started or position < seen[0][1]


def test_a_reader_has_started_once_it_reached_the_first_ends_of_all_logs() -> None:
    progress = FeedProgress()
    progress.look(0, {}, {ONE: 5, TWO: 0})
    assert not progress.started
    for now, end in ((1, 9), (2, 99)):
        progress.look(now, {ONE: 5}, {ONE: end, TWO: 1})
        assert (progress.started, progress.lag) == (True, now)


def test_a_log_that_appears_later_must_be_read_too() -> None:
    progress = FeedProgress()
    progress.look(0, {ONE: 5}, {ONE: 5})
    progress.look(60, {ONE: 5}, {ONE: 5, TWO: 3})
    assert (progress.started, progress.lag) == (False, 0)
    progress.look(70, {ONE: 5, TWO: 3}, {ONE: 5, TWO: 3})
    assert (progress.started, progress.lag) == (True, 0)


def test_a_topic_that_was_created_anew_counts_by_its_new_end() -> None:
    progress = FeedProgress()
    progress.look(0, {ONE: 90}, {ONE: 100})
    progress.look(10, {}, {ONE: 7})
    assert not progress.started
    progress.look(20, {ONE: 7}, {ONE: 7})
    assert (progress.started, progress.lag) == (True, 0)


def test_many_looks_take_bounded_memory_and_never_shorten_the_lag() -> None:
    progress = FeedProgress()
    looks = 5 * MOST_LOOKS
    for second in range(looks):
        progress.look(second, {ONE: 0}, {ONE: second + 1})
    (log,) = progress._logs.values()
    assert len(log.looks) <= MOST_LOOKS
    progress.look(looks, {ONE: looks - 10}, {ONE: looks + 1})
    assert progress.lag >= 11


def test_no_log_is_no_lag() -> None:
    progress = FeedProgress()
    progress.look(0, {}, {})
    assert (progress.started, progress.lag) == (True, 0)
