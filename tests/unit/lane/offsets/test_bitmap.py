"""Offsets as bits, against a set."""

from __future__ import annotations

import base64
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.lane.offsets.bitmap import LARGEST, OffsetBitmap, extent, pack, unpack

START = 1_000
STEPS = ["add"] * 4 + ["run", "discard", "trim", "pack"]
offsets_ = st.integers(START, START + 300)


@given(st.lists(st.tuples(st.sampled_from(STEPS), offsets_)), st.lists(offsets_, min_size=1))
def test_any_history_agrees_with_a_set(steps: list[tuple[str, int]], asked: list[int]) -> None:
    bits, model, first = OffsetBitmap(START), set[int](), START
    for what, offset in steps:
        if what in ("add", "run") and offset >= first:
            added = range(offset, offset + (40 if what == "run" else 1))
            model.update(added)
            for each in added:
                bits.add(each)
        elif what == "discard" and offset >= first:
            model.discard(offset)
            bits.discard(offset)
        elif what == "trim":
            first = max(first, offset)
            bits.trim(offset)
            model = {each for each in model if each >= first}
        elif what == "pack":
            assert set(unpack(bits.packed(first), first)) == model
            bits = OffsetBitmap(first, bits.packed(first))
    for offset in (each for each in asked if each >= first):
        assert (offset in bits) == (offset in model)
        assert bits.absent_from(offset) == next(
            each for each in range(offset, START + 999) if each not in model
        )
        later = [each for each in model if each >= offset]
        if later:
            assert bits.present_from(offset) == min(later)
        else:
            with pytest.raises(ValueError, match=f"from {offset} on"):
                bits.present_from(offset)


def test_what_lies_outside_is_absent_and_may_be_discarded() -> None:
    bits = OffsetBitmap(START)
    bits.add(START + 3)
    for outside in (START - 1, START + 100_000):
        bits.discard(outside)
        assert outside not in bits
    assert START + 3 in bits


def test_the_first_one_is_found_from_an_offset_that_is_gone() -> None:
    bits = OffsetBitmap(START)
    bits.add(START + 70)
    bits.trim(START + 64)
    assert bits.present_from(START) == START + 70


@given(st.sets(st.integers(START, START + 5_000)), st.integers(0, START))
def test_offsets_come_back_from_their_bitmap_in_order(offsets: set[int], first: int) -> None:
    assert list(unpack(pack(offsets, first), first)) == sorted(offsets)


@pytest.mark.parametrize("wrong", ["§", "abc", base64.b64encode(b"no zlib").decode()])
def test_a_bitmap_of_foreign_origin_is_a_value_error(wrong: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        list(unpack(wrong, 0))
    with pytest.raises(ValueError, match=r".+"):
        OffsetBitmap(0, wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        zlib.compress(b"\x01")[:-1],
        zlib.compress(b"\x01") + b"more",
        zlib.compress(bytes(LARGEST + 1)),
    ],
    ids=["cut short", "more behind", "of a billion offsets"],
)
def test_a_bitmap_without_its_end_or_beyond_the_largest_is_a_value_error(wrong: bytes) -> None:
    with pytest.raises(ValueError, match="too long"):
        OffsetBitmap(0, base64.b64encode(wrong).decode())
    with pytest.raises(ValueError, match="too long"):
        extent(base64.b64encode(wrong).decode())


@given(st.sets(st.integers(START, START + 5_000)), st.integers(START - 300, START))
def test_extent_is_how_many_offsets_there_are_and_how_far_they_reach(
    offsets: set[int], first: int
) -> None:
    reach = max(offsets) + 1 - first if offsets else 0
    assert extent(pack(offsets, first)) == (len(offsets), reach)
    assert OffsetBitmap(first, pack(offsets, first)).extent_from(first) == (len(offsets), reach)


def test_half_a_million_offsets_fit_into_a_record() -> None:
    """The worst bitmap of so many stays far from Kafka's 1 MB."""
    rng = random.Random(1)
    assert len(pack((each for each in range(500_000) if rng.random() < 0.5), 0)) < 100_000


@pytest.mark.parametrize("behind", [b"x", None], ids=["bytes behind", "too long"])
def test_a_bitmap_with_more_than_it_may_have_is_refused(behind: bytes | None) -> None:
    """A few kilobytes of text can hold gigabytes."""
    packed = zlib.compress(bytes(LARGEST + 1)) if behind is None else zlib.compress(b"") + behind
    with pytest.raises(ValueError, match="too long"):
        extent(base64.b64encode(packed).decode())


def test_the_extent_of_a_bitmap_is_how_many_it_has_and_how_far_it_reaches() -> None:
    assert extent(pack([], 5)) == (0, 0)
    assert extent(pack([5], 5)) == (1, 1)
    assert extent(pack([7, 9, 30], 5)) == (3, 26)
