"""The parent: forwards signals, watches the config's files, serves the admin port, reaps children.

It works on no record and has no client of Kafka. When a child ends, it stops the other one and ends
with the exit code of the first failure.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from consumer.config.models import Config
from consumer.observability.admin_server import run_admin
from consumer.observability.metrics.metrics import Metrics
from consumer.runtime.failures import ChildFailedError
from consumer.runtime.options import Options
from consumer.runtime.parent.decisions import Children, Prepared, reload_in_order
from consumer.runtime.parent.link import Link, LinkClosedError
from consumer.runtime.parent.program_state import ProgramState
from consumer.runtime.process import longest_stop
from consumer.runtime.reload import FileWatch, Reload

HANDLED = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD})

RELOAD_WITHIN = 120.0
"""Seconds that a child may take for one part of a reload: Kafka is asked about new topics."""

EXTRA = 1.0
"""Seconds after a child's own end of a stop that the parent kills it."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Child:
    """A running child. `message`: why it fails, as it told before its end."""

    name: str
    pid: int
    link: Link
    message: str = ""
    reading: asyncio.Task[None] | None = None


class Parent:
    """One run of the program in two processes."""

    def __init__(self, config: Config, options: Options, children: list[Child]) -> None:
        self._config = config
        self._by_name = {child.name: child for child in children}
        self._children = Children(set(self._by_name))
        self._longest_stop = longest_stop(config)
        self._metrics = Metrics()
        self._metrics.series.set("config_last_reload_successful", 1)
        self._state = ProgramState(
            {child.name: (child.pid, child.link) for child in children}, self._metrics.series
        )
        self._files = FileWatch(options.file, self._reload) if options.file else None
        self._started: dict[str, asyncio.Event] = {name: asyncio.Event() for name in self._by_name}
        self._stopping = asyncio.Event()
        self._all_ended = asyncio.Event()
        self._failure: Exception | None = None
        self._ends: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Run until both children have ended. Raises ChildFailedError, or the admin's error."""
        self._listen_to_signals()
        for child in self._by_name.values():
            child.reading = asyncio.create_task(child.link.run(self._answers(child)))
        log.info("processes_started", **{name: each.pid for name, each in self._by_name.items()})
        self._reap()  # a child may have ended before its signal was listened to
        admin = asyncio.create_task(self._admin())
        admin.add_done_callback(self._admin_ended)
        files = asyncio.create_task(self._watch_files())
        await self._all_ended.wait()
        for task in (admin, files):
            task.cancel()
        await asyncio.gather(admin, files, return_exceptions=True)
        if self._failure is not None:
            raise self._failure
        if (failure := self._children.failure) is not None:
            raise ChildFailedError(failure.message, failure.code)

    # -- signals and ends ---------------------------------------------------------------------

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(
            signal.SIGHUP, self._stop if self._files is None else self._files.ask
        )
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)

    def _stop(self) -> None:
        if not self._children.stop():
            return
        log.info("stopping")
        self._stopping.set()
        self._signal(signal.SIGTERM)
        loop = asyncio.get_running_loop()
        loop.call_later(self._longest_stop + EXTRA, self._give_up)

    def _give_up(self) -> None:
        log.error("stop_hangs", processes=sorted(self._children.running))
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        for name in self._children.running:
            with suppress(ProcessLookupError):
                os.kill(self._by_name[name].pid, number)

    def _reap(self) -> None:
        """Collect all processes that have ended. As PID 1 of a container, orphans too."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                for child in self._by_name.values():
                    if child.pid == pid:
                        code = os.waitstatus_to_exitcode(status)
                        task = asyncio.create_task(self._ended(child, code))
                        self._ends.add(task)

    async def _ended(self, child: Child, code: int) -> None:
        if child.reading is not None:  # its last words
            await asyncio.gather(child.reading, return_exceptions=True)
        self._state.ended(child.name)
        failure = self._children.ended(child.name, code, child.message)
        if failure is not None and failure.signal is not None:
            log.error(
                "process_killed",
                process=child.name,
                signal=failure.signal,
                hint="a SIGKILL without a sender comes from the limit of memory",
            )
        self._stop()
        if not self._children.running:
            self._all_ended.set()

    def _answers(self, child: Child) -> dict[str, Any]:
        async def started(_: object) -> None:
            self._started[child.name].set()

        async def failed(message: str) -> None:
            child.message = message

        async def return_delayed(campaigns: list[str]) -> None:
            for other in self._by_name.values():
                if other is not child:
                    other.link.tell("return_delayed", campaigns)

        return {"started": started, "failed": failed, "return_delayed": return_delayed}

    # -- admin port ---------------------------------------------------------------------------

    async def _admin(self) -> None:
        await run_admin(
            self._config.admin,
            self._state,
            started=lambda port: log.info("admin_started", port=port),
        )

    def _admin_ended(self, task: asyncio.Task[None]) -> None:
        failure = None if task.cancelled() else task.exception()
        if isinstance(failure, Exception):  # without probes the program is unobservable
            log.error("admin_ended", error=type(failure).__name__)
            self._failure = self._failure or failure
            self._stop()

    # -- reload -------------------------------------------------------------------------------

    async def _watch_files(self) -> None:
        if self._files is not None:
            for started in self._started.values():  # until a broker answers, nothing can reload
                await started.wait()
            await self._files.run(self._stopping)

    async def _reload(self) -> Reload:
        try:
            result = await reload_in_order(self._prepare, self._go_on)
        except (TimeoutError, LinkClosedError):
            result = Reload.LATER
            if not self._stopping.is_set():
                log.error("config_refused", problems=["a process does not answer"])
        self._metrics.process.config_reload(result.counted)
        self._state.reload = result.counted, time.time()
        return result

    async def _prepare(self, name: str) -> Prepared:
        result, version, stop = await self._ask(name, "prepare")
        if version:
            self._longest_stop = stop
        return Prepared(Reload(result), version)

    async def _go_on(self, name: str, part: str) -> Reload:
        return Reload(await self._ask(name, part))

    async def _ask(self, name: str, question: str) -> Any:
        return await self._by_name[name].link.ask(question, RELOAD_WITHIN)
