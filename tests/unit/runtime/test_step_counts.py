"""How many records wait on a step: what was read is counted, the rest is taken to be alike."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consumer.runtime.delay.step_counts import StepCounts


def test_offsets_count_until_anything_is_known() -> None:
    assert StepCounts().waiting("t", 3, 10) == 7


def test_records_count_and_not_markers_as_they_come_and_go() -> None:
    counts = StepCounts()
    counts.waiting("t", 0, 10)
    assert counts.wanted() == {"t": 0}
    counts.read("t", [0, 2, 4, 6, 8], 10)
    assert [counts.waiting("t", at, 10) for at in (0, 1, 3, 9, 10)] == [5, 4, 3, 0, 0]
    assert counts.wanted() == {"t": 10}
    counts.read("t", [10], 12)
    assert counts.waiting("t", 10, 12) == 1


def test_what_was_not_read_yet_is_as_dense_as_what_was() -> None:
    counts = StepCounts()
    counts.waiting("t", 0, 100)
    counts.wanted()
    counts.read("t", [0, 2, 4, 6, 8], 10)
    assert counts.waiting("t", 0, 100) == 50


def test_a_count_starts_again_where_the_stage_passed_the_reader() -> None:
    counts = StepCounts()
    counts.waiting("t", 0, 10)
    counts.wanted()
    counts.read("t", [0], 2)
    assert counts.waiting("t", 5, 10) == 5  # it passed the reader
    assert counts.wanted() == {"t": 5}
    counts.read("t", [6], 10)
    assert counts.waiting("t", 5, 10) == 1
    counts.clear()
    assert counts.wanted() == {}
    counts.read("t", [1], 3)  # of a step that is no longer this process's
    assert counts.waiting("t", 0, 3) == 3


@given(st.sets(st.integers(0, 400)), st.integers(0, 400), st.lists(st.integers(1, 90), max_size=9))
def test_all_that_was_read_is_counted_exactly(records: set[int], at: int, looks: list[int]) -> None:
    counts, until = StepCounts(), 0
    counts.waiting("t", 0, 401)
    for step in looks:
        assert counts.wanted() == {"t": until}
        end = min(401, until + step)
        counts.read("t", [record for record in sorted(records) if until <= record < end], end)
        until = end
    expected = sum(at <= record < until for record in records)
    if at < until:
        assert counts.waiting("t", at, until) == expected
