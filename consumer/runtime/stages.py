"""The threads of one process: one for each stage, which come and go with the config."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

Life = Callable[[str, Callable[[], None]], None]
"""A stage's whole life in its thread: name and session. Raises nothing."""


class StageThreads:
    """Starts threads and waits for their ends. Its methods belong to the event loop."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, session: Callable[[], None]) -> asyncio.Task[None]:
        """Run a stage in a thread of its own; the task is done when the thread has ended.

        A former stage of this name ends first: a lane that left the config and comes back.
        """
        former = self._tasks.get(name)
        self._tasks[name] = asyncio.create_task(self._run(name, session, former))
        return self._tasks[name]

    async def ended_threads(self) -> None:
        """Until every thread has ended, with those that were started meanwhile."""
        while running := [task for task in self._tasks.values() if not task.done()]:
            await asyncio.wait(running)

    async def _run(
        self, name: str, session: Callable[[], None], former: asyncio.Task[None] | None
    ) -> None:
        if former is not None:
            await former
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def work() -> None:
            try:
                self._life(name, session)
            finally:
                loop.call_soon_threadsafe(ended.set)

        thread = threading.Thread(target=work, name=name)
        thread.start()
        await ended.wait()
        thread.join()  # it has nothing left to do
