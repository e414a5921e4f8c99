"""The ledger against a list of delivered records, with gaps that no record ever fills."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consumer.lane.offsets.bitmap import pack, unpack
from consumer.lane.offsets.settled import SettledOffsets

START = 1_000
STEPS = ["read"] * 4 + ["settle"] * 4 + ["restart", "end"]


def test_base_is_the_oldest_open_offset_not_the_highest_settled() -> None:
    ledger = SettledOffsets(10)
    assert [ledger.deliver(offset) for offset in (10, 11, 15)] == [True, True, True]
    ledger.settle(11)
    assert (ledger.base, ledger.span) == (10, 6)
    ledger.settle(10)
    assert ledger.base == 15
    ledger.settle(15)
    assert (ledger.base, ledger.span) == (16, 0)


def test_a_record_is_delivered_once() -> None:
    """What was read before, or settled by a former owner, is passed over."""
    ledger = SettledOffsets(10, pack([12], 10))
    assert ledger.deliver(11)
    assert not ledger.deliver(11)
    assert not ledger.deliver(12)
    assert not ledger.deliver(9)


def test_the_end_of_the_log_moves_the_base_past_markers_never_past_an_open_record() -> None:
    ledger = SettledOffsets(10)
    ledger.end_of_log(14)
    assert ledger.base == 14
    ledger.end_of_log(12)
    assert ledger.base == 14
    ledger.deliver(15)
    ledger.end_of_log(20)
    assert ledger.base == 15
    ledger.settle(15)
    assert ledger.base == 20


def test_settled_is_all_below_base_and_what_is_done_above() -> None:
    ledger = SettledOffsets(10, pack([12], 10))
    assert [ledger.settled(offset) for offset in (9, 10, 12, 13)] == [True, False, True, False]


def test_packing_again_and_again_keeps_what_is_done_above_a_base_that_moved() -> None:
    """The bitmap lets go of what lies below the base, and of nothing else."""
    ledger = SettledOffsets(START)
    for offset in range(START, START + 400):
        ledger.deliver(offset)
    for offset in range(START, START + 300):
        ledger.settle(offset)
    ledger.settle(START + 333)
    for _ in range(3):
        assert list(unpack(ledger.packed(), ledger.base)) == [START + 333]
    ledger.settle(START + 350)
    assert list(unpack(ledger.packed(), ledger.base)) == [START + 333, START + 350]


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[int], list[tuple[str, int]]]:
    """Records at offsets with gaps, and steps: read the next one, settle one, restart, the end."""
    gaps = draw(st.lists(st.integers(1, 20), max_size=40))
    records = [START + sum(gaps[: n + 1]) for n in range(len(gaps))]
    step = st.tuples(st.sampled_from(STEPS), st.integers(0, 999))
    return records, draw(st.lists(step, min_size=10, max_size=100))


@given(histories())
def test_any_history_agrees_with_a_list_of_what_was_read(
    history: tuple[list[int], list[tuple[str, int]]],
) -> None:
    """Base and done after each step, and a successor from base and done behaves as the original.

    Offsets that were passed over hold no records, and count as done.
    """
    records, steps = history
    ledger, done = SettledOffsets(START), set[int]()
    upto = START  # all before this was read
    for what, number in steps:
        unread = [record for record in records if record >= upto]
        settleable = [record for record in records if record < upto and record not in done]
        if what == "read" and unread:
            assert ledger.deliver(unread[0]) == (unread[0] not in done)
            upto = unread[0] + 1
        elif what == "settle" and settleable:
            chosen = [settleable[(number + n) % len(settleable)] for n in range(number % 3 + 1)]
            ledger.settle_all(chosen) if len(chosen) > 1 else ledger.settle(chosen[0])
            done.update(chosen)
        elif what == "end" and not unread:
            upto = max(upto, (records or [START])[-1] + number)
            ledger.end_of_log(upto)
        elif what == "restart":
            ledger = SettledOffsets(ledger.base, ledger.packed())
            upto = ledger.base
        done |= set(range(START, upto)) - set(records)
        still = [each for each in range(START, upto) if each not in done]
        assert ledger.base == (still[0] if still else upto)
        assert (ledger.frontier, ledger.span) == (upto, upto - ledger.base)
        packed = set(unpack(ledger.packed(), ledger.base))
        assert packed == {each for each in done if each >= ledger.base}
        asked = START + number % 400
        assert ledger.settled(asked) == (asked < ledger.base or asked in done)
        beyond = range(max(asked, ledger.base), START + 2_000)
        assert ledger.next_open(asked) == next(each for each in beyond if each not in done)


def test_settled_offsets_are_counted_below_the_base_and_above() -> None:
    ledger = SettledOffsets(10)
    for offset in (10, 11, 12, 15):
        ledger.deliver(offset)
    assert ledger.settled_in_all == 10 + 2, "13 and 14 hold no records of ours"
    ledger.settle(12)
    assert ledger.settled_in_all == 10 + 3
    ledger.settle(10)
    assert (ledger.base, ledger.settled_in_all) == (11, 14)
    assert SettledOffsets(11, ledger.packed()).settled_in_all == 14
