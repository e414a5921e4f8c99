"""The admin port's view of both children: their answers, put together."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from consumer.observability.admin_state import NoAnswerError
from consumer.observability.metrics.metrics import render_merged
from consumer.observability.metrics.series import Exported, MetricSeries
from consumer.observability.status.merge import merged
from consumer.observability.status.status import dump, load
from consumer.runtime.parent.link import Link, LinkClosedError

PROBE_WITHIN = 2.0
"""Seconds for a child's answer to a probe: the chart's readiness probe gives up after 3."""

ANSWER_WITHIN = 5.0
"""Seconds for the numbers of a scrape or of the status page."""


class ProgramState:
    """An `AdminState` of all children. A child that ended shows what it said last."""

    def __init__(self, children: Mapping[str, tuple[int, Link]], own: MetricSeries) -> None:
        self._children = children
        self._own = own
        self._ended: set[str] = set()
        self._last: dict[tuple[str, str], Any] = {}
        self.reload: tuple[str | None, float | None] = None, None

    def ended(self, child: str) -> None:
        """Ask this child nothing from now on."""
        self._ended.add(child)

    async def alive(self) -> list[str]:
        """Return all children's problems; a child that does not answer is one."""
        return await self._problems("alive", ())

    async def ready(self) -> list[str]:
        """Return all children's problems; a child that has ended is one."""
        return await self._problems("ready", [f"process {each}: ended" for each in self._ended])

    async def scrape(self, accept: str) -> tuple[bytes, str]:
        """Return all children's series as those of one process. Raises NoAnswerError."""
        answers = await self._answers("series")
        exports = [msgspec.convert(answer, Exported) for answer in answers]
        pids = [os.getpid(), *(pid for pid, _ in self._children.values())]
        return await asyncio.to_thread(render_merged, [self._own.export(), *exports], pids, accept)

    async def status(self) -> bytes:
        """Return all children's status as that of one process. Raises NoAnswerError."""
        answers = await self._answers("status")
        return dump(merged([load(answer) for answer in answers], self.reload))

    async def _problems(self, question: str, known: Iterable[str]) -> list[str]:
        running = [name for name in self._children if name not in self._ended]
        answers = await asyncio.gather(*(self._probe(name, question) for name in running))
        return list(dict.fromkeys([*known, *(each for answer in answers for each in answer)]))

    async def _probe(self, name: str, question: str) -> list[str]:
        try:
            return list(await self._children[name][1].ask(question, PROBE_WITHIN))
        except TimeoutError:
            return [f"process {name}: no answer within {PROBE_WITHIN:g} s"]
        except LinkClosedError:
            return [f"process {name}: ended"]

    async def _answers(self, question: str) -> list[Any]:
        return await asyncio.gather(*(self._answer(name, question) for name in self._children))

    async def _answer(self, name: str, question: str) -> Any:
        if name not in self._ended:
            try:
                answer = await self._children[name][1].ask(question, ANSWER_WITHIN)
                self._last[name, question] = answer
            except TimeoutError:
                raise NoAnswerError(
                    f"process {name}: no answer within {ANSWER_WITHIN:g} s"
                ) from None
            except LinkClosedError:
                pass
        try:
            return self._last[name, question]
        except KeyError:
            raise NoAnswerError(f"process {name}: ended") from None
