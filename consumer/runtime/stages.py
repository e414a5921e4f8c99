"""Threads of one process: one for each stage, started and ended as the config changes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

Life = Callable[[str, Callable[[], None]], None]
"""Function that a stage's thread runs, with the stage's name and its sessions. Raises nothing."""


class StageThreads:
    """Starts threads and waits for their ends. Only the event loop calls its methods."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, sessions: Callable[[], None]) -> asyncio.Task[None]:
        """Run a stage in its own thread. Return a task that is done when the thread has ended.

        The thread waits for an earlier stage of this name, such as a lane that was removed from
        the config and added again.
        """
        former = self._tasks.get(name)
        self._tasks[name] = asyncio.create_task(self._run(name, sessions, former))
        return self._tasks[name]

    async def ended_threads(self) -> None:
        """Wait until every thread has ended, including threads started meanwhile."""
        while running := [task for task in self._tasks.values() if not task.done()]:
            await asyncio.wait(running)

    async def _run(
        self, name: str, sessions: Callable[[], None], former: asyncio.Task[None] | None
    ) -> None:
        if former is not None:
            await former
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def work() -> None:
            try:
                self._life(name, sessions)
            finally:
                loop.call_soon_threadsafe(ended.set)

        thread = threading.Thread(target=work, name=name)
        thread.start()
        await ended.wait()
        thread.join()  # returns at once
