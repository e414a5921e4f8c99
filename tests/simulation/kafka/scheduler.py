"""Tasks of several processes in greenlets, on a virtual clock: same seed, same run.

A task runs until it sleeps, waits or passes a crash point; nothing else interrupts it.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from math import inf
from typing import Any

from greenlet import getcurrent, greenlet

from tests.simulation.kafka.tasks import Killed, Process, Task

__all__ = ["START", "Killed", "Process", "Scheduler", "Task"]

START = 1_700_000_000.0


class Scheduler:
    """Time, tasks, and their abrupt ends. Ties in time are broken by `rng`."""

    def __init__(self, rng: random.Random) -> None:
        self.now = START
        self.current: Task | None = None
        self.on_point: Callable[[Task, str], None] = _nothing
        self._rng = rng
        self._plan: list[tuple[float, float, int, Task | None, Any]] = []
        self._planned = 0
        self._processes: dict[str, Process] = {}
        self._stopped = False
        self._hub: greenlet = getcurrent()

    # -- planning -----------------------------------------------------------------------------

    def process(self, name: str) -> Process:
        """The living process of that name; a new one if there is none."""
        found = self._processes.get(name)
        if found is None:
            found = self._processes[name] = Process(name)
        return found

    def alive(self, name: str) -> bool:
        """Whether a process of that name lives; a frozen one does."""
        return name in self._processes

    def spawn(self, name: str, process: str, run: Callable[[], None]) -> Task:
        """A task that begins now. What it raises, except Killed, ends `run` of the scheduler."""
        home = self.process(process)
        task = Task(name, home, run)
        home.tasks.append(task)
        self._push(self.now, task, task.ticket)
        return task

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Call `what` then, outside any task: it must neither sleep nor wait."""
        self._push(max(when, self.now), None, what)

    def _push(self, when: float, task: Task | None, what: object) -> None:
        self._planned += 1
        heapq.heappush(self._plan, (when, self._rng.random(), self._planned, task, what))

    # -- inside a task ------------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        """Let time pass for the current task."""
        task = self._task()
        self._push(self.now + seconds, task, task.ticket)
        self._hub.switch()

    def wait(self, until: float = inf) -> bool:
        """Block the current task until it is woken (True) or until then (False)."""
        task = self._task()
        task.waiting, task.woken = True, False
        if until < inf:
            self._push(max(until, self.now), task, task.ticket)
        self._hub.switch()
        task.waiting = False
        return task.woken

    def wake(self, task: Task, delay: float = 0.0) -> None:
        """End a task's wait, now or after `delay`; one that does not wait is not disturbed."""
        if task.waiting and not task.thread.dead:
            task.woken = True
            self._push(self.now + delay, task, task.ticket)

    def point(self, label: str) -> None:
        """A crash point: here the world may kill or freeze the process."""
        task = self._task()
        self.on_point(task, label)
        process = task.process
        if process.dead:
            raise Killed
        if process.frozen_until > self.now:
            self.sleep(process.frozen_until - self.now)

    def _task(self) -> Task:
        task = self.current
        if task is None:
            raise RuntimeError("only a task can sleep, wait or pass a crash point")
        if task.process.dead:
            raise Killed
        return task

    # -- faults -------------------------------------------------------------------------------

    def kill(self, process: str) -> None:
        """kill -9: no further effect of anything in it. Its tasks unwind without one."""
        victim = self._processes.pop(process, None)
        if victim is None:
            return
        victim.dead = True
        for guest in victim.guests:
            guest.killed()
        for task in victim.tasks:
            if task is not self.current:
                self._push(self.now, task, task.ticket)

    def freeze(self, process: str, until: float) -> None:
        """SIGSTOP until then: its tasks do not run, all others' timers go on."""
        victim = self._processes.get(process)
        if victim is None or until <= victim.frozen_until:
            return
        victim.frozen_until = until
        for guest in list(victim.guests):
            guest.frozen(until)
        self.at(until, lambda: self._thaw(victim))

    def _thaw(self, process: Process) -> None:
        if not process.dead and process.frozen_until <= self.now:
            for guest in list(process.guests):
                guest.thawed()

    # -- running ------------------------------------------------------------------------------

    def run(self, until: float = inf) -> None:
        """Until nothing is planned any more, `until` is reached, or `stop` was called."""
        self._hub = getcurrent()
        self._stopped = False
        plan = self._plan
        while plan and not self._stopped:
            if plan[0][0] > until:
                self.now = until
                return
            when, _, _, task, what = heapq.heappop(plan)
            if task is None:
                self.now = when
                what()
            elif task.ticket == what:
                self.now = when
                self._resume(task)

    def stop(self) -> None:
        """Let `run` return before the next step."""
        self._stopped = True

    def close(self) -> None:
        """Kill everything, so that no task is left to the garbage collector."""
        for name in list(self._processes):
            self.kill(name)
        self._plan = [each for each in self._plan if each[3] is not None]
        heapq.heapify(self._plan)
        self.run()

    def _resume(self, task: Task) -> None:
        process = task.process
        if process.frozen_until > self.now and not process.dead:
            self._push(process.frozen_until, task, task.ticket)
            return
        task.ticket += 1
        self.current = task
        thread = task.thread
        try:
            if process.dead:
                thread.parent = self._hub
                thread.throw(Killed)
            elif thread:
                thread.switch()
            else:
                thread.parent = self._hub
                thread.switch()
        except BaseException as error:
            error.add_note(f"in task {task.name} of {process.name} at {self.now:.3f}")
            raise
        finally:
            self.current = None
        if thread.dead:
            process.tasks.remove(task)


def _nothing(_task: Task, _label: str) -> None:
    """No world listens at the crash points."""
