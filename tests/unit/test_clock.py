"""The process's clock: it passes while it is held, and follows the wall clock when it is not."""

from __future__ import annotations

import pytest

from consumer.clock import STEP, Clock


class Machine:
    """A wall clock that can be set, and the time that has passed."""

    def __init__(self) -> None:
        self.passed = 50.0
        self.wall_is_wrong_by = 0.0

    def clock(self) -> Clock:
        return Clock(lambda: 1_000.0 + self.passed + self.wall_is_wrong_by, lambda: self.passed)


@pytest.mark.parametrize("step", [3.0, 10_800.0, -3.0, -10_800.0])
def test_a_step_is_followed_at_once_while_nothing_holds_the_clock(step: float) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.passed += 1
    machine.wall_is_wrong_by = step
    assert clock.now() == 1_051.0
    assert clock.stepped == step
    assert clock.follow_wall_clock() == step
    assert clock.now() == 1_051.0 + step
    assert (clock.stepped, clock.follow_wall_clock()) == (0.0, 0.0)


@pytest.mark.parametrize("step", [3.0, -10_800.0])
def test_a_held_clock_passes_and_does_not_jump(step: float) -> None:
    machine = Machine()
    clock = machine.clock()
    clock.hold()
    clock.hold()
    machine.wall_is_wrong_by = step
    machine.passed += 7
    assert clock.follow_wall_clock() == 0.0
    assert clock.now() == 1_057.0
    clock.release()
    assert clock.follow_wall_clock() == 0.0
    clock.release()
    assert clock.follow_wall_clock() == step
    assert clock.now() == 1_057.0 + step


@pytest.mark.parametrize("away", [0.9 * STEP, -0.9 * STEP])
def test_a_small_difference_is_no_step(away: float) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall_is_wrong_by = away
    assert (clock.stepped, clock.follow_wall_clock(), clock.now()) == (0.0, 0.0, 1_050.0)


def test_steady_time_knows_no_step() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall_is_wrong_by = -3_600.0
    clock.follow_wall_clock()
    machine.passed += 2
    assert clock.steady() == 52.0
