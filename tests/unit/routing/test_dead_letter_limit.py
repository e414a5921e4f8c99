"""The limit on dead letters, beside a reference that looks at every window."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consumer.routing.dead_letter_limit import DeadLetterLimit, DeadLetterWindow


def reference(limit: DeadLetterLimit, records: list[bool]) -> int:
    """The first record whose window of the last `of` has more dead letters than allowed."""
    for end in range(len(records)):
        if records[end] and sum(records[max(0, end + 1 - limit.of) : end + 1]) > limit.most:
            return end
    return len(records)


@given(
    st.integers(1, 12),
    st.sampled_from([0.1, 0.25, 0.5, 0.9, 1.0]),
    st.lists(st.lists(st.booleans(), max_size=15), max_size=8),
)
def test_the_first_record_beyond_the_limit_is_not_taken(
    of: int, share: float, polls: list[list[bool]]
) -> None:
    limit = DeadLetterLimit(share, of)
    window, taken = DeadLetterWindow(limit), list[bool]()
    for poll in polls:
        bad = [place for place, is_bad in enumerate(poll) if is_bad]
        allowed = window.allowed(len(poll), bad)
        assert len(taken) + allowed == reference(limit, taken + poll)
        if allowed < len(poll):
            return
        window.take(len(poll), bad)
        taken += poll


def test_half_of_a_thousand_is_allowed_and_one_more_is_not() -> None:
    window = DeadLetterWindow(DeadLetterLimit())
    assert window.allowed(1_000, range(500)) == 1_000
    assert window.allowed(1_000, range(300, 1_000)) == 800


def test_what_left_the_window_counts_no_more() -> None:
    window = DeadLetterWindow(DeadLetterLimit())
    window.take(500, range(500))
    window.take(999, [])
    assert window.allowed(10, range(10)) == 10


def test_asking_takes_nothing() -> None:
    window = DeadLetterWindow(DeadLetterLimit(1.0, 2))
    assert [window.allowed(2, [0, 1]), window.allowed(2, [0, 1])] == [2, 2]
