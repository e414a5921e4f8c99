"""A child: a `Process` that answers its parent's questions instead of an admin port's."""

from __future__ import annotations

import asyncio
from typing import Any

from consumer.config.models import Config
from consumer.runtime.failures import explain
from consumer.runtime.options import ExitCode, Options
from consumer.runtime.parent.decisions import FINISH, PREPARE, TAKE
from consumer.runtime.parent.link import Answers, Link
from consumer.runtime.process import Process, longest_stop
from consumer.runtime.reload import Reload, Reloader

ROUTER_WITHIN = 60.0
"""Seconds that lanes which left the config wait for the router to take it."""


class ChildOfParent:
    """The parent, as a child's stages see it. `leads`: whether this child logs and watches what
    concerns the whole program."""

    def __init__(self, link: Link, *, leads: bool) -> None:
        self.leads = leads
        self._link = link
        self._lanes_took_it = asyncio.Event()
        self._router_took_it = asyncio.Event()
        self._taking: asyncio.Task[Reload] | None = None
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Tell that reloads may come; at `stop` wait for the end of one."""
        self._link.tell("started")
        await stop.wait()
        self._stopping = True
        self._router_took_it.set()
        if self._taking is not None:
            await asyncio.wait([self._taking])

    def return_delayed(self, campaigns: list[str]) -> None:
        """Have the other child's delay stage return these campaigns' invitations."""
        self._link.tell_from_thread("return_delayed", campaigns)

    async def router_took_it(self) -> None:
        """Wait until the router, in the other child, has taken the config too."""
        self._lanes_took_it.set()
        try:
            async with asyncio.timeout(ROUTER_WITHIN):
                await self._router_took_it.wait()
        except TimeoutError:
            return

    async def prepare(self, reloader: Reloader) -> Any:
        """Return result and version of the config that is on disk, and how long a
        stop may take."""
        result = await reloader.prepare()
        if reloader.prepared is None:
            return [result, "", 0.0]
        config, _ = reloader.prepared
        return [result, config.config_version, longest_stop(config)]

    async def take(self, reloader: Reloader) -> Reload:
        """Take the prepared config; return once this child's stages have it."""
        if self._stopping:
            return Reload.REFUSED
        self._lanes_took_it.clear()
        self._router_took_it.clear()
        self._taking = asyncio.create_task(reloader.take())
        took_it = asyncio.create_task(self._lanes_took_it.wait())
        await asyncio.wait([self._taking, took_it], return_when=asyncio.FIRST_COMPLETED)
        took_it.cancel()
        return self._taking.result() if self._taking.done() else Reload.READY

    async def finish(self) -> Reload:
        """Let the lanes that left the config end; return the reload's result."""
        self._router_took_it.set()
        return Reload.REFUSED if self._taking is None else await self._taking


async def run_child(config: Config, options: Options, link: Link) -> int:
    """Run a child until its end. Return its exit code; the parent gets the message."""
    parent = ChildOfParent(link, leads=options.role.routes)
    options.parent = parent
    answering: asyncio.Task[None] | None = None
    try:
        process = Process(config, options)
        answering = asyncio.create_task(link.run(_answers(process, parent)))
        await process.run()
    except Exception as error:  # noqa: BLE001 - as in `main`: a message and an exit code
        message, code = explain(error)
        link.tell("failed", message)
        await link.flush()
        return code
    finally:
        if answering is not None:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
    return ExitCode.CLEAN


def _answers(process: Process, parent: ChildOfParent) -> Answers:
    state = process.state

    async def alive(_: object) -> list[str]:
        return await state.alive()

    async def ready(_: object) -> list[str]:
        return await state.ready()

    async def series(_: object) -> Any:
        return await asyncio.to_thread(process.metrics.series.export)

    async def status(_: object) -> bytes:
        return await state.status()

    async def return_delayed(campaigns: list[str]) -> None:
        process.services.early.request(campaigns)

    found = {"alive": alive, "ready": ready, "series": series, "status": status}
    reloader = process.reloader
    if reloader is not None:
        found[PREPARE] = lambda _: parent.prepare(reloader)
        found[TAKE] = lambda _: parent.take(reloader)
        found[FINISH] = lambda _: parent.finish()
    return {**found, "return_delayed": return_delayed}
