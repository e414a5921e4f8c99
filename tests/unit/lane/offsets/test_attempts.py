"""Attempts outlive their owner."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.lane.offsets import bitmap
from consumer.lane.offsets.attempts import Attempts
from consumer.lane.offsets.bitmap import unpack
from consumer.records.checkpoint import Tried


@given(st.dictionaries(st.integers(0, 5_000), st.integers(1, 6)), st.sets(st.integers(0, 5_000)))
def test_attempts_come_back_from_the_checkpoint(model: dict[int, int], settled: set[int]) -> None:
    tries = Attempts()
    for offset, attempt in model.items():
        tries.set_count(offset, attempt)
    for offset in settled:
        tries.forget(offset)
    left = {offset: attempt for offset, attempt in model.items() if offset not in settled}
    written = [each.model_dump_json() for each in tries.packed(0)]
    assert len(written) == len(set(left.values()))
    restored = Attempts(Tried.model_validate_json(each) for each in written)
    asked = {*model, *settled}
    assert {offset: restored.count_of(offset, 0) for offset in asked} == {
        offset: left.get(offset, 0) for offset in asked
    }


def test_an_uncalled_invitation_has_the_attempts_of_its_record() -> None:
    tries = Attempts()
    assert tries.count_of(3, 2) == 2
    tries.set_count(3, 4)
    tries.set_count(3, 5)
    assert tries.count_of(3, 2) == 5


def test_attempts_beyond_the_checkpoints_bound_are_counted_again_fewest_first() -> None:
    tries = Attempts()
    for offset in range(0, bitmap.TRIED_REACH - 1_000, bitmap.TRIED_REACH // 40):
        tries.set_count(offset, 2)
        tries.set_count(offset + 1, 1)
    assert [each.attempt for each in tries.packed(0)] == [2]


@pytest.mark.parametrize("bound", ["TRIED_BYTES", "TRIED_MARKS"])
def test_each_bound_is_kept(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = Attempts(base=5)
    for offset in range(5, 400, 3):
        tries.set_count(offset, 3)
        tries.set_count(offset + 1, 2)
    (first, second) = tries.packed(5)
    size = {"TRIED_BYTES": len(first.offsets), "TRIED_MARKS": 132}[bound]
    monkeypatch.setattr(f"consumer.lane.offsets.attempts.{bound}", size)
    assert tries.packed(5) == (first,)
    monkeypatch.setattr(f"consumer.lane.offsets.attempts.{bound}", size - 1)
    assert tries.packed(5) == ()
    assert (first.attempt, second.attempt) == (3, 2)


def test_what_lies_below_the_base_is_settled_and_told_no_more() -> None:
    tries = Attempts()
    for offset in range(20):
        tries.set_count(offset, 1 + offset % 2)
    (odd, even) = tries.packed(16)
    assert (list(unpack(odd.offsets, 16)), list(unpack(even.offsets, 16))) == ([17, 19], [16, 18])
    assert Attempts(tries.packed(16), base=18).count_of(16, 0) == 0
    assert tries.packed(20) == ()
    tries.set_count(20, 1)
    assert tries.count_of(20, 0) == 1
