"""How many records wait on a step: what was read is counted, the rest is taken to be alike."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consumer.runtime.delay.step_counts import MOST_NAMES, StepCounts


def _of(campaign: str, offsets: list[int]) -> list[tuple[int, str]]:
    return [(offset, campaign) for offset in offsets]


def test_offsets_count_until_anything_is_known() -> None:
    assert StepCounts().waiting("t", 3, 10) == {"": 7}


def test_records_count_and_not_markers_as_they_come_and_go() -> None:
    counts = StepCounts()
    counts.waiting("t", 0, 10).total()
    assert counts.wanted() == {"t": 0}
    counts.read("t", _of("a", [0, 2, 4, 6, 8]), 10)
    assert [counts.waiting("t", at, 10).total() for at in (0, 1, 3, 9, 10)] == [5, 4, 3, 0, 0]
    assert counts.wanted() == {"t": 10}
    counts.read("t", _of("a", [10]), 12)
    assert counts.waiting("t", 10, 12).total() == 1


def test_what_was_not_read_yet_is_as_dense_as_what_was() -> None:
    counts = StepCounts()
    counts.waiting("t", 0, 100).total()
    counts.wanted()
    counts.read("t", _of("a", [0, 2, 4, 6, 8]), 10)
    assert counts.waiting("t", 0, 100).total() == 50


def test_a_count_starts_again_where_the_stage_passed_the_reader() -> None:
    counts = StepCounts()
    counts.waiting("t", 0, 10).total()
    counts.wanted()
    counts.read("t", _of("a", [0]), 2)
    assert counts.waiting("t", 5, 10).total() == 5  # it passed the reader
    assert counts.wanted() == {"t": 5}
    counts.read("t", _of("a", [6]), 10)
    assert counts.waiting("t", 5, 10).total() == 1
    counts.clear()
    assert counts.wanted() == {}
    counts.read("t", _of("a", [1]), 3)  # of a step that is no longer this process's
    assert counts.waiting("t", 0, 3).total() == 3


@given(st.sets(st.integers(0, 400)), st.integers(0, 400), st.lists(st.integers(1, 90), max_size=9))
def test_all_that_was_read_is_counted_exactly(records: set[int], at: int, looks: list[int]) -> None:
    counts, until = StepCounts(), 0
    counts.waiting("t", 0, 401).total()
    for step in looks:
        assert counts.wanted() == {"t": until}
        end = min(401, until + step)
        counts.read("t", _of("a", [one for one in sorted(records) if until <= one < end]), end)
        until = end
    expected = sum(at <= record < until for record in records)
    if at < until:
        assert counts.waiting("t", at, until).total() == expected


def test_what_waits_is_told_by_campaign_also_where_it_is_estimated() -> None:
    counts = StepCounts()
    counts.waiting("t", 0, 20)
    counts.wanted()
    counts.read("t", [(0, "a"), (2, "b"), (4, "a"), (6, "a"), (8, "")], 10)
    assert counts.waiting("t", 0, 10) == {"a": 3, "b": 1, "": 1}
    assert counts.waiting("t", 0, 20) == {"a": 6, "b": 2, "": 2}
    assert counts.waiting("t", 3, 10) == {"a": 2, "": 1}


def test_more_names_than_a_config_has_are_counted_without_a_name() -> None:
    counts, many = StepCounts(), MOST_NAMES + 5
    counts.waiting("t", 0, many)
    counts.wanted()
    counts.read("t", [(n, f"c{n}") for n in range(many)], many)
    found = counts.waiting("t", 0, many)
    assert (found["c0"], found[""], found.total()) == (1, 5, many)
