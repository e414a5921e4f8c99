"""What is read next, against a client that hands out old records for a while after a seek."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.errors import KafkaSessionError
from consumer.lane.offsets import read_plan as module
from consumer.lane.offsets.bitmap import pack
from consumer.lane.offsets.read_plan import Mode, ReadPlan
from consumer.lane.offsets.settled import SettledOffsets
from consumer.lane.state.commands import Command, Pause, Resume, Seek

PASS, SKIP = 12, 6


@pytest.fixture(scope="module", autouse=True)
def short_passes() -> Iterator[None]:
    """So that a log of a hundred records needs many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PASS_OFFSETS", PASS)
        patch.setattr(module, "SKIP_AT_LEAST", SKIP)
        yield


class Client:
    """A log and its reader: after a seek, some records of the former place may still come."""

    def __init__(self, log: list[int], rng: random.Random, *, stale: int) -> None:
        self.log, self.rng, self.stale = log, rng, stale
        self.there = rng.randrange(len(log) + 1)  # how many records are written by now
        self.end = self._end()
        self.position = 0
        self.paused = False
        self._target: int | None = None
        self._left = 0
        self._said = -1

    def carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Pause():
                    self.paused = True
                case Resume():
                    self.paused = False
                case Seek(offset):
                    self._target, self._left = offset, self.rng.randint(0, self.stale)

    def write(self, more: int) -> None:
        self.there = min(len(self.log), self.there + more)
        self.end = max(self.end, self._end())

    def poll(self, most: int) -> Iterator[tuple[str, int]]:
        """Records, and the end of the log each time it is reached."""
        for _ in range(0 if self.paused else most):
            self._arrive()
            found = [each for each in self.log[: self.there] if each >= self.position][:1]
            if not found:
                if self._said != self.end:
                    self._said = self.end
                    yield "end", self.end
                return
            self._said, self.position = -1, found[0] + 1
            yield "record", found[0]

    def _arrive(self) -> None:
        if self._target is not None and not self._left:
            self.position, self._target, self._said = self._target, None, -1
        self._left = max(0, self._left - 1)

    def _end(self) -> int:
        """Markers may follow the last record."""
        last = self.log[self.there - 1] if self.there else -1
        following = [*self.log[self.there : self.there + 1], last + 3][0]
        return self.rng.randint(last + 1, following)


class Story:
    """A lane that notes, takes and leaves as it likes; campaign of an offset: its last digit."""

    def __init__(self, seed: int, *, stale: int) -> None:
        self.rng = random.Random(seed)
        gaps = (self.rng.choice([1, 1, 1, 2, 9]) for _ in range(self.rng.randint(1, 120)))
        log: list[int] = []
        for gap in gaps:
            log.append((log[-1] if log else -1) + gap)
        settled = [each for each in log if self.rng.random() < 0.3]
        start = self.rng.choice(log)
        done = [*(each for each in settled if each > start), *range(start + 30, start + 60)]
        self.new = [each for each in log if each >= start]
        self.ledger = SettledOffsets(start, pack(done, start) if self.rng.random() < 0.5 else None)
        self.reading = ReadPlan(self.ledger)
        self.client = Client(log, self.rng, stale=stale)
        self.client.position = start
        self.spilled: set[int] = set()
        self.open: set[int] = set()

    def turn(self, *, eager: bool) -> None:
        """One poll and one decision; an eager lane has room for all."""
        for what, offset in self.client.poll(self.rng.randint(0, 9)):
            if what == "end":
                self.reading.at_end(offset)
            elif self.reading.accepts(offset):
                self._read(offset, eager=eager)
            self._nothing_was_skipped()
        self._settle_some()
        counts = self.reading.counts
        assert self.reading.spilled == len(self.spilled) == counts.total()
        hungry = [count for count in counts if eager or self.rng.random() < 0.5]
        full = bool(self.spilled) and not eager and self.rng.random() < 0.3
        self.client.carry_out(self.reading.steer(hungry, stop=full))

    def _read(self, offset: int, *, eager: bool) -> None:
        campaign = str(offset % 10 // 4)
        if self.ledger.deliver(offset):
            self.open.add(offset)
            if not eager and self.rng.random() < 0.6:
                self._note(offset, campaign)
        elif self.reading.is_spilled(offset):
            assert offset in self.spilled
            if eager or self.rng.random() < 0.5:
                self.reading.unspill(offset, campaign)
                self.spilled.remove(offset)
            else:
                self.reading.leave_behind(campaign)
            given_up = sorted(self.open - self.spilled)[-1:]
            if given_up and not eager and self.rng.random() < 0.2:
                self._note(given_up[0], str(given_up[0] % 10 // 4))

    def _note(self, offset: int, campaign: str) -> None:
        self.reading.spill(offset, campaign)
        self.spilled.add(offset)

    def _settle_some(self) -> None:
        for offset in sorted(self.open - self.spilled):
            if self.rng.random() < 0.5:
                self.ledger.settle(offset)
                self.open.remove(offset)

    def _nothing_was_skipped(self) -> None:
        """Whatever lies before the frontier is open, spilled or settled, and was delivered."""
        read = [each for each in self.new if each < self.ledger.frontier]
        assert all(self.ledger.settled(each) != (each in self.open) for each in read)

    @property
    def over(self) -> bool:
        everything = self.client.there == len(self.client.log)
        return everything and self.ledger.base >= self.client.end and not self.spilled

    def end(self) -> None:
        """From now on there is room: all of it must come, and be settled."""
        for _ in range(2_000):
            self.turn(eager=True)
            self.client.write(3)
            if self.over:
                return
        raise AssertionError(f"never read again: {sorted(self.spilled)}; {self.reading}")


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 2**32), st.sampled_from([0, 0, 3, 30]))
def test_every_spilled_offset_is_taken_and_no_new_one_is_skipped(seed: int, stale: int) -> None:
    """Whatever is spilled, left and taken, and however long old records come after a seek."""
    story = Story(seed, stale=stale)
    for _ in range(60):
        story.turn(eager=False)
        story.client.write(story.rng.choice([0, 0, 1, 5]))
    story.end()


def noted_far_apart(*, last: int) -> ReadPlan:
    """Every record up to `last` was read; `b` is spilled at 0 and `last - 2`, `a` between them."""
    reading = ReadPlan(SettledOffsets(0))
    for offset in range(last + 1):
        assert reading.accepts(offset)
        reading.settled.deliver(offset)
        if offset < last - 1:
            reading.spill(offset, "b" if offset in (0, last - 2) else "a")
    return reading


def read_on(reading: ReadPlan, first: int, last: int) -> None:
    """The client reads from one offset to another; there is room for none after all."""
    for offset in range(first, last + 1):
        if reading.accepts(offset):
            reading.leave_behind("a")


def test_a_pass_that_finds_no_record_goes_further_next_time() -> None:
    """Between two of a campaign there may be more of another's than a pass reads."""
    reading = noted_far_apart(last=99)
    client = Client(list(range(100)), random.Random(1), stale=0)
    client.write(100)
    client.position = 100
    taken: list[int] = []
    for _ in range(60):
        client.carry_out(reading.steer(["b"] if reading.counts["b"] else [], stop=False))
        for what, offset in client.poll(5):
            if what == "end":
                reading.at_end(offset)
            elif reading.accepts(offset) and offset in (0, 97):
                reading.unspill(offset, "b")
                taken.append(offset)
    assert taken == [0, 97]


def test_a_pass_that_leaps_over_what_is_settled_goes_further_next_time_too() -> None:
    """A pass begins at the next spilled record of any campaign: before it none is spilled."""
    reading = ReadPlan(SettledOffsets(0))
    for offset in range(100):
        assert reading.accepts(offset)
        reading.settled.deliver(offset)
    for offset, whose in ((0, "b"), *((each, "a") for each in range(50, 97)), (97, "b")):
        reading.spill(offset, whose)
    reading.unspill(0, "b")  # its next is looked for from 0 on
    client = Client(list(range(100)), random.Random(1), stale=0)
    client.write(100)
    client.position = 100
    for _ in range(60):
        client.carry_out(reading.steer(["b"] if reading.counts["b"] else [], stop=False))
        for what, offset in client.poll(5):
            if what == "end":
                reading.at_end(offset)
            elif reading.accepts(offset):
                reading.unspill(offset, "b") if offset == 97 else reading.leave_behind("a")
    assert not reading.counts["b"]


def test_what_a_former_owner_settled_is_not_looked_at() -> None:
    reading = ReadPlan(SettledOffsets(0, pack([0, 2], 0)))
    assert [reading.accepts(offset) for offset in (0, 1)] == [False, True]
    reading.settled.deliver(1)
    assert not reading.accepts(2)
    assert reading.settled.frontier == 3


def test_a_pass_is_bounded_and_new_records_have_their_turn_before_the_next() -> None:
    reading = noted_far_apart(last=99)
    assert reading.steer(["a"], stop=False) == [Seek(1)]
    read_on(reading, 1, PASS - 1)
    assert reading.steer(["a"], stop=False) == []
    read_on(reading, PASS, PASS)
    assert reading.steer(["a"], stop=False) == [Seek(99)]
    assert reading.steer(["a"], stop=False) == []
    assert not reading.accepts(99)
    assert reading.accepts(100)
    assert reading.steer(["a"], stop=False) == [Seek(1)]


def test_a_pass_that_meets_new_records_reads_them_on() -> None:
    """They are in order, so nothing need be sought."""
    reading = noted_far_apart(last=9)
    assert reading.steer(["a"], stop=False) == [Seek(1)]
    read_on(reading, 1, 9)
    assert reading.accepts(10)
    assert reading.mode is Mode.FRONTIER


def test_new_records_that_a_full_lane_meets_in_a_pass_are_read_later() -> None:
    reading = noted_far_apart(last=9)
    assert reading.steer([], stop=True) == [Pause()]
    assert reading.steer(["a"], stop=True) == [Resume(), Seek(1)]
    read_on(reading, 1, 9)
    assert not reading.accepts(10)
    reading.at_end(12)
    assert reading.settled.frontier == 10
    assert reading.steer([], stop=True) == [Pause()]
    assert reading.steer([], stop=False) == [Resume(), Seek(9)]
    assert [reading.accepts(offset) for offset in (9, 10)] == [False, True]


def test_what_came_before_the_seek_is_passed_over() -> None:
    """An end of the log too: the pass has not begun."""
    reading = noted_far_apart(last=9)
    reading.steer(["a"], stop=False)
    assert [reading.accepts(offset) for offset in (10, 11, 12)] == [False, False, False]
    reading.at_end(13)
    assert reading.steer(["a"], stop=False) == []
    assert (reading.settled.frontier, reading.mode) == (10, Mode.AGAIN)
    assert [reading.accepts(offset) for offset in (0, 1, 2)] == [False, True, True]


def test_a_gap_after_a_seek_is_trouble() -> None:
    """The record that was sought is gone: reading on would skip what else is."""
    reading = noted_far_apart(last=99)
    reading.steer(["a"], stop=False)
    read_on(reading, 1, PASS)
    assert reading.steer(["a"], stop=False) == [Seek(99)]
    with pytest.raises(KafkaSessionError, match="expected offset 99 after a seek, not 101"):
        reading.accepts(101)


def test_a_lane_that_is_full_stops_once_and_goes_on_from_its_last_record() -> None:
    reading = noted_far_apart(last=9)
    assert reading.steer([], stop=True) == [Pause()]
    assert reading.steer([], stop=True) == []
    assert not reading.accepts(10)
    reading.at_end(20)
    assert reading.settled.frontier == 10
    assert reading.steer([], stop=False) == [Resume(), Seek(9)]


def test_a_long_run_of_settled_offsets_is_skipped_a_short_one_is_read() -> None:
    for run, commands in ((SKIP - 1, []), (SKIP, [Seek(5 + SKIP)])):
        reading = ReadPlan(SettledOffsets(0, pack(range(5, 5 + run), 0)))
        for offset in range(5):
            reading.accepts(offset)
            reading.settled.deliver(offset)
        assert reading.steer([], stop=False) == commands
        assert reading.settled.base == 0
        reading.settled.settle_all(range(5))
        assert reading.settled.base == (5 + run if commands else 5)


def test_nothing_is_skipped_before_the_frontier_is_found_again() -> None:
    reading = ReadPlan(SettledOffsets(0, pack(range(20, 20 + SKIP), 0)))
    for offset in range(20):
        reading.accepts(offset)
        reading.settled.deliver(offset)
        if offset < 19:
            reading.spill(offset, "a")
    reading.steer(["a"], stop=False)
    assert reading.steer([], stop=False) == [Seek(19)]
    assert reading.steer([], stop=False) == []
    assert not reading.accepts(19)
    assert reading.steer([], stop=False) == [Seek(20 + SKIP)]
    assert reading.accepts(20 + SKIP)
