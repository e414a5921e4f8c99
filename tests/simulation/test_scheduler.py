"""The simulation's clock and its faults."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from tests.simulation.kafka.scheduler import START, Killed, Scheduler, Task

Story = list[tuple[float, str]]


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    """One with nothing planned."""
    scheduler = Scheduler(random.Random(1))
    yield scheduler
    scheduler.close()


def steps(scheduler: Scheduler, story: Story, name: str, count: int = 3) -> Callable[[], None]:
    """A task that writes down its name once a second."""

    def run() -> None:
        for _ in range(count):
            story.append((scheduler.now - START, name))
            scheduler.sleep(1)

    return run


def test_time_passes_only_by_sleeping(scheduler: Scheduler) -> None:
    story: Story = []
    scheduler.spawn("a", "process", steps(scheduler, story, "a"))
    scheduler.run()
    assert story == [(0, "a"), (1, "a"), (2, "a")]
    assert scheduler.now == START + 3


def ties(seed: int) -> Story:
    scheduler = Scheduler(random.Random(seed))
    story: Story = []
    for name in "abcd":
        scheduler.spawn(name, name, steps(scheduler, story, name))
    scheduler.run()
    return story


def test_the_seed_decides_which_of_several_tasks_comes_first() -> None:
    """The same one decides the same way again."""
    stories = [ties(seed) for seed in range(20)]
    assert stories == [ties(seed) for seed in range(20)]
    assert len({tuple(story) for story in stories}) > 10


def test_a_killed_process_unwinds_without_effect(scheduler: Scheduler) -> None:
    """It cannot even sleep any more; others go on."""
    story: Story = []
    unwound: list[float] = []

    def victim() -> None:
        try:
            scheduler.sleep(10)
        finally:
            try:
                scheduler.sleep(1)
                unwound.append(0)
            finally:
                unwound.append(scheduler.now - START)

    scheduler.spawn("victim", "a", victim)
    scheduler.spawn("other", "b", steps(scheduler, story, "other"))
    scheduler.at(START + 1.5, lambda: scheduler.kill("a"))
    scheduler.run()

    assert unwound == [1.5]
    assert len(story) == 3
    assert not scheduler.alive("a")


def test_a_process_may_be_killed_at_a_crash_point_of_its_own(scheduler: Scheduler) -> None:
    """Its other tasks die with it; under its name a new one may begin."""
    story: Story = []

    def hit(task: Task, label: str) -> None:
        if label == "commit":
            scheduler.kill(task.process.name)

    def victim() -> None:
        scheduler.sleep(1.5)
        try:
            scheduler.point("commit")
        except Exception:  # noqa: BLE001 - as a program's own might be
            story.append((0, "caught"))
        story.append((0, "survived"))

    scheduler.on_point = hit
    scheduler.spawn("victim", "a", victim)
    scheduler.spawn("other", "a", steps(scheduler, story, "other"))
    scheduler.run()
    assert story == [(0, "other"), (1, "other")]

    scheduler.spawn("again", "a", steps(scheduler, story, "again", 1))
    scheduler.run()
    assert story[-1][1] == "again"


def test_a_frozen_process_stands_still_and_time_does_not(scheduler: Scheduler) -> None:
    story: Story = []
    scheduler.spawn("a", "a", steps(scheduler, story, "a"))
    scheduler.spawn("b", "b", steps(scheduler, story, "b"))
    scheduler.at(START + 0.5, lambda: scheduler.freeze("a", START + 10))
    scheduler.run()

    assert [at for at, name in story if name == "a"] == [0, 10, 11]
    assert [at for at, name in story if name == "b"] == [0, 1, 2]


def test_a_task_frozen_at_a_crash_point_goes_on_there(scheduler: Scheduler) -> None:
    went_on: list[float] = []

    def task() -> None:
        scheduler.point("send")
        went_on.append(scheduler.now - START)

    scheduler.on_point = lambda task, _: scheduler.freeze(task.process.name, START + 7)
    scheduler.spawn("a", "a", task)
    scheduler.run()
    assert went_on == [7]


def test_a_wait_ends_when_woken_or_in_time(scheduler: Scheduler) -> None:
    """Waking a task that only sleeps has no effect."""
    ended: list[tuple[float, bool]] = []

    def waits() -> None:
        scheduler.sleep(2)
        ended.append((scheduler.now - START, scheduler.wait(START + 5)))
        ended.append((scheduler.now - START, scheduler.wait(START + 6)))

    task = scheduler.spawn("a", "a", waits)
    scheduler.at(START + 1, lambda: scheduler.wake(task))
    scheduler.at(START + 3, lambda: scheduler.wake(task))
    scheduler.run()
    assert ended == [(2, True), (3, False)]
    assert scheduler.now == START + 6


def test_what_a_task_raises_ends_the_run_and_names_the_task(scheduler: Scheduler) -> None:
    def broken() -> None:
        raise ValueError("no")

    scheduler.spawn("lane", "a", broken)
    with pytest.raises(ValueError, match="no") as caught:
        scheduler.run()
    assert "task lane of a" in caught.value.__notes__[0]


def test_a_run_may_be_stopped_and_resumed(scheduler: Scheduler) -> None:
    story: Story = []
    scheduler.spawn("a", "a", steps(scheduler, story, "a"))
    scheduler.at(START + 0.5, scheduler.stop)
    scheduler.run()
    assert len(story) == 1
    scheduler.run(START + 1.5)
    assert (len(story), scheduler.now) == (2, START + 1.5)


def test_only_a_task_can_wait(scheduler: Scheduler) -> None:
    with pytest.raises(RuntimeError):
        scheduler.sleep(1)


def test_no_ordinary_handler_stops_a_kill() -> None:
    assert not issubclass(Killed, Exception)
