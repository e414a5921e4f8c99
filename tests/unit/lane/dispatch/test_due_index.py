"""The due index offers all that a scheduler needs to see: it decides as if it saw all windows."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.lane.buffer.window import Window
from consumer.lane.dispatch import due_index as agenda_module
from consumer.lane.dispatch.due_index import DueIndex
from consumer.lane.dispatch.scheduler import IndexPrice, OldestFirst, Scheduler, Seal, SizeOrLinger
from consumer.policy.expiry import expired_waiting
from consumer.records.result import Reason
from tests.support.lanes import NOW, held

VENDORS = {"a": "v", "b": "v", "c": "w", "d": None, "e": "v", "f": "v"}


def told(scheduler: Scheduler, windows: dict[str, Window]) -> DueIndex:
    index = DueIndex(scheduler, VENDORS.__getitem__)
    index.update(scheduler.price(1.0), windows.values())
    return index


def other_than(name: str | None) -> Callable[[Window], bool]:
    return lambda window: window.campaign != name


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(("age", "price", "linger")), st.sampled_from((0, 1_000)), st.integers(0, 10**6)
)
def test_a_scheduler_decides_as_if_it_saw_all_windows(kind: str, stale: int, seed: int) -> None:
    """Through arrivals, calls, backoffs, prices that rise and fall, accounts that come and go, and
    heaps that are swept."""
    with patch.object(agenda_module, "STALE", stale):
        _decides_as_if_it_saw_all(kind, random.Random(seed))


def _decides_as_if_it_saw_all(kind: str, rng: random.Random) -> None:
    schedulers: dict[str, Scheduler] = {
        "age": OldestFirst(),
        "price": IndexPrice(),
        "linger": SizeOrLinger(1.0),
    }
    scheduler = schedulers[kind]
    changed: dict[str, None] = {}
    windows = {
        name: Window(
            name,
            rng.randint(1, 6),
            rng.choice((2.0, 60.0)),
            rng.choice((1.0, 3.0)),
            changed=changed,
        )
        for name in VENDORS
    }
    index, now, left, offset = told(scheduler, windows), NOW, 1.0, 0
    for _ in range(60):
        now += rng.choice((0.0, 0.1, 1.0, 9.0, 70.0))
        left = min(1.0, max(0.01, left * rng.choice((0.5, 0.9, 1.1, 2.0))))
        for _ in range(rng.randrange(4)):
            name, offset = rng.choice(list(VENDORS)), offset + 1
            windows[name].add(held(offset, campaign=name, arrived=now - rng.random()))
        if rng.random() < 0.3:  # a backoff, which is not reported: it only delays
            window = windows[rng.choice("abc")]
            window.not_before = max(window.not_before, now + rng.choice((0.5, 5.0)))
        usable = [vendor for vendor in ("v", "w") if rng.random() < 0.8]
        unable = rng.choice((None, "a", "c"))
        index.update(scheduler.price(left), [windows[name] for name in changed])
        changed.clear()
        offered = index.candidates(usable, other_than(unable), now)
        choice = copy.copy(scheduler).choose(offered, now, left)
        all_windows = [
            each for name, each in windows.items() if VENDORS[name] in usable and name != unable
        ]
        expected = scheduler.choose(all_windows, now, left)
        if isinstance(expected, Seal):
            assert choice == expected
            assert isinstance(expected.window, Window)
            taken = expected.window.take()
            if rng.random() < 0.2:  # it comes back, and is the oldest again
                expected.window.extend(taken)
            left *= 0.9
        else:
            assert not isinstance(choice, Seal)
            assert now < min(choice.until, index.next_at) <= expected.until + 1e-6


def test_heaps_do_not_grow_with_recomputed_windows() -> None:
    """Behind a window that is due before, a stale entry would lie until its time."""
    scheduler = IndexPrice()
    windows = {name: Window(name, 10_000, 1e6) for name in "ab"}
    windows["a"].add(held(0, campaign="a", arrived=NOW))
    index = told(scheduler, windows)
    assert set(index.vendors) == {"v"}
    for offset in range(1, 5_000):
        windows["b"].add(held(offset, campaign="b", arrived=NOW + offset))
        windows["b"].take()
        windows["b"].add(held(offset + 5_000, campaign="b", arrived=NOW + offset))
        index.update(scheduler.price(0.1), windows.values())
        assert list(index.candidates(["v"], lambda _: True, NOW)) == []
    assert sum(len(each.later) + len(each.due) for each in index._accounts.values()) < 2_000


def test_a_window_looks_for_expired_ones_when_there_may_be_some() -> None:
    window = Window("a", 10, 60.0)
    window.add(held(1))
    assert window.expires == float("inf")
    window.add(held(2, expires_at=NOW + 9))
    window.add(held(3, expires_at=NOW + 5))
    assert window.drop_refused(expired_waiting, NOW + 4) == []
    ended = window.drop_refused(expired_waiting, NOW + 5)
    assert [(late.offset, reason) for late, reason in ended] == [(3, Reason.EXPIRED_WAITING)]
    assert window.expires == NOW + 9
