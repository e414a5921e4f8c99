"""Attempts outlive their owner."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consumer.lane.tries import Tries
from consumer.model import Tried


@given(st.dictionaries(st.integers(0, 5_000), st.integers(1, 6)), st.sets(st.integers(0, 5_000)))
def test_attempts_come_back_from_the_checkpoint(model: dict[int, int], settled: set[int]) -> None:
    tries = Tries()
    for offset, attempt in model.items():
        tries.put(offset, attempt)
    for offset in settled:
        tries.forget(offset)
    left = {offset: attempt for offset, attempt in model.items() if offset not in settled}
    written = [each.model_dump_json() for each in tries.packed()]
    assert len(written) == len(set(left.values()))
    restored = Tries(Tried.model_validate_json(each) for each in written)
    asked = {*model, *settled}
    assert {offset: restored.get(offset, 0) for offset in asked} == {
        offset: left.get(offset, 0) for offset in asked
    }


def test_who_was_in_no_call_here_has_what_its_record_says() -> None:
    tries = Tries()
    assert tries.get(3, 2) == 2
    tries.put(3, 4)
    tries.put(3, 5)
    assert tries.get(3, 2) == 5
