"""The window: one head per recipient, oldest first, nothing lost."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from consumer.lane.buffer.window import Window
from consumer.lane.state.pending import PendingInvitation
from tests.support.lanes import NOW, held, written


def window(max_batch: int = 10) -> Window:
    return Window("a", max_batch, 600.0)


def offsets(many: Iterable[PendingInvitation]) -> list[int]:
    return [each.offset for each in many]


def test_a_second_invitation_of_a_recipient_waits_for_the_next_batch() -> None:
    waiting = window()
    waiting.extend([held(1, "x"), held(2, "y"), held(3, "x"), held(4, "x")])
    assert waiting.ready == 2
    assert offsets(waiting.take()) == [1, 2]
    assert offsets(waiting.take()) == [3]
    assert offsets(waiting.take()) == [4]
    assert waiting.count == 0


def test_a_batch_is_the_oldest_and_no_larger_than_it_may_be() -> None:
    waiting = window(max_batch=2)
    waiting.extend([held(5), held(1), held(3)])
    assert waiting.ready == 2
    assert offsets(waiting.take()) == [1, 3]
    assert waiting.ready == 1


def test_the_oldest_is_the_one_that_goes_first() -> None:
    waiting = window(max_batch=1)
    waiting.extend([held(1, arrived=NOW + 5), held(2, arrived=NOW + 7)])
    assert waiting.oldest == NOW + 5
    waiting.take()
    assert waiting.oldest == NOW + 7


def test_waiting_includes_one_that_comes_before_the_next_calls_customers() -> None:
    waiting = window(max_batch=2)
    waiting.extend([held(n, arrived=NOW + n) for n in (5, 6, 7)])
    assert waiting.waited(NOW + 10) == 5 + 4
    waiting.add(held(8, arrived=NOW + 8))
    assert waiting.waited(NOW + 10) == 5 + 4
    waiting.add(held(1, arrived=NOW + 1))
    assert waiting.waited(NOW + 10) == 9 + 5


def test_an_invitation_that_is_read_again_later_has_its_own_place() -> None:
    waiting = window()
    waiting.add(held(5, "x"))
    waiting.add(held(3, "y"))
    assert offsets(waiting.take()) == [3, 5]


@pytest.mark.parametrize("many", [1, 100])
def test_one_or_many_that_are_put_back_among_others_have_their_places(many: int) -> None:
    waiting = window(max_batch=1_000)
    waiting.extend(held(offset, str(offset)) for offset in range(1, 400, 2))
    waiting.extend(held(offset, str(offset)) for offset in range(200, 200 + 2 * many, 2))
    taken = offsets(waiting.take())
    assert (len(taken), taken) == (200 + many, sorted(taken))


def test_an_invitation_put_back_goes_before_its_recipients_later_one() -> None:
    """The later one came forward while the earlier was on the wire."""
    waiting = window(max_batch=1)
    waiting.extend([held(1, "x"), held(5, "x", arrived=NOW + 9)])
    waiting.extend(waiting.take())
    assert waiting.oldest == NOW
    assert [offsets(waiting.take()) for _ in range(2)] == [[1], [5]]


def test_a_batch_passes_over_the_place_that_a_recipients_later_one_had() -> None:
    waiting = window()
    waiting.extend([held(1, "x"), held(5, "x")])
    waiting.extend([*waiting.take(), held(3, "y"), held(9, "z")])
    assert offsets(waiting.take()) == [1, 3, 9]
    assert offsets(waiting.take()) == [5]


def test_a_place_that_was_left_never_counts_as_the_oldest() -> None:
    waiting = window()
    waiting.extend([held(1, "x"), held(5, "x")])
    waiting.extend(waiting.take())
    assert [offsets(waiting.take()) for _ in range(2)] == [[1], [5]]
    waiting.add(held(12, "y", arrived=NOW + 12))
    assert waiting.oldest == NOW + 12


def test_dropping_takes_heads_and_followers() -> None:
    waiting = window()
    waiting.extend([held(1, "x"), held(2, "x"), held(3, "x"), held(4, "y")])
    assert sorted(offsets(waiting.drop(lambda each: each.offset in {1, 3}))) == [1, 3]
    assert waiting.count == 2
    assert offsets(waiting.take()) == [2, 4]


def test_the_youngest_are_given_up_a_share_at_a_time_and_at_least_one() -> None:
    """Followers too: what counts is when they were read."""
    waiting = window()
    waiting.extend([held(offset, "xyz"[offset % 3]) for offset in range(16)])
    assert sorted(offsets(waiting.take_youngest(1 / 8))) == [14, 15]
    assert sorted(offsets(waiting.take_youngest(0.001))) == [13]
    assert (waiting.count, offsets(waiting.take())) == (13, [0, 1, 2])


def test_dropping_nothing_changes_nothing() -> None:
    waiting = window()
    waiting.add(held(1))
    assert waiting.drop(lambda _each: False) == []
    assert offsets(waiting) == [1]


class WindowAgainstAList(RuleBasedStateMachine):
    """Any sequence of adding, taking, putting back and dropping, against a list that is sorted."""

    flying: Bundle[PendingInvitation] = Bundle("flying")

    @initialize(max_batch=st.integers(1, 4))
    def make(self, max_batch: int) -> None:
        self.window = window(max_batch)
        self.model: list[PendingInvitation] = []
        self.next = 0

    @rule(max_batch=st.integers(1, 4))
    def reload(self, max_batch: int) -> None:
        self.window.max_batch = max_batch

    @rule(recipient=st.sampled_from("abcdef"), gap=st.integers(1, 3))
    def add(self, recipient: str, gap: int) -> None:
        self.next += gap
        each = held(self.next, recipient, arrived=NOW + self.next)
        self.model.append(each)
        self.window.add(each)

    @rule(target=flying)
    def take(self) -> MultipleResults[PendingInvitation]:
        expected = self.next_batch()
        taken = self.window.take()
        assert offsets(taken) == offsets(expected)
        self.model = [each for each in self.model if each not in expected]
        return multiple(*taken)

    def next_batch(self) -> list[PendingInvitation]:
        heads: dict[str, PendingInvitation] = {}
        for each in sorted(self.model, key=lambda held: held.offset):
            heads.setdefault(each.invitation["pseudonym"], each)
        return list(heads.values())[: self.window.max_batch]

    @rule(back=st.lists(consumes(flying), max_size=4))
    def put_back(self, back: list[PendingInvitation]) -> None:
        self.model += back
        self.window.extend(back)

    @rule(rest=st.integers(0, 3))
    def drop(self, rest: int) -> None:
        dropped = self.window.drop(lambda each: each.offset % 4 == rest)
        expected = [each for each in self.model if each.offset % 4 == rest]
        assert sorted(offsets(dropped)) == sorted(offsets(expected))
        self.model = [each for each in self.model if each.offset % 4 != rest]

    @invariant()
    def same(self) -> None:
        recipients = {each.invitation["pseudonym"] for each in self.model}
        assert sorted(offsets(self.window)) == sorted(offsets(self.model))
        assert self.window.count == len(self.model)
        assert self.window.ready == min(len(recipients), self.window.max_batch)
        if self.model:
            assert self.window.oldest == min(each.arrived for each in self.model)
        waited = sum(NOW + 999 - each.arrived for each in self.next_batch())
        assert self.window.waited(NOW + 999) == pytest.approx(waited, abs=1e-3)


TestWindowAgainstAList = WindowAgainstAList.TestCase
TestWindowAgainstAList.settings = settings(max_examples=150, stateful_step_count=30)


def test_a_batch_has_no_more_bytes_than_it_may_but_always_one_customer() -> None:
    """A body that is too large would be refused as a whole."""
    waiting = window()
    waiting.max_bytes = 1_000
    waiting.extend([written(n, data="x" * 100) for n in (1, 2, 3)])
    size = len(written(1, data="x" * 100).value)
    assert 400 < size < 500
    assert offsets(waiting.take()) == [1, 2]
    assert (waiting.count, waiting.ready) == (1, 1)
    waiting.max_bytes = 1
    assert offsets(waiting.take()) == [3]
