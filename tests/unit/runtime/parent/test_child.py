"""A child's part in a reload, and its last words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from consumer.errors import StartPositionError
from consumer.runtime.options import Options, Role
from consumer.runtime.parent import child
from consumer.runtime.parent.child import ChildOfParent, run_child
from consumer.runtime.parent.link import Answers, Link
from consumer.runtime.process import Process
from consumer.runtime.reload import Reload, Reloader
from tests.unit.runtime.test_process import process

NO_LINK = cast("Link", None)


@dataclass
class Lanes:
    """The sender's stages at a reload: `wait` is what the supervisor calls once they have it."""

    wait: Callable[[], Any]
    steps: list[str] = field(default_factory=list)

    async def take(self) -> Reload:
        self.steps.append("lanes took it")
        await self.wait()
        self.steps.append("removed lanes drain")
        return Reload.APPLIED


def test_removed_lanes_wait_for_the_router_in_the_other_process() -> None:
    async def reload() -> list[str]:
        parent = ChildOfParent(NO_LINK, leads=False)
        lanes = Lanes(parent.router_took_it)
        reloader = cast("Reloader", lanes)
        assert await parent.take(reloader) is Reload.READY
        lanes.steps.append("router took it")
        assert await parent.finish() is Reload.APPLIED
        return lanes.steps

    steps = ["lanes took it", "router took it", "removed lanes drain"]
    assert asyncio.run(reload()) == steps


def test_router_answers_once_it_has_taken_it() -> None:
    async def nothing() -> None:
        """No lane is here."""

    async def reload() -> None:
        parent = ChildOfParent(NO_LINK, leads=True)
        reloader = cast("Reloader", Lanes(nothing))
        assert await parent.take(reloader) is Reload.APPLIED

    asyncio.run(reload())


def test_lanes_do_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "ROUTER_WITHIN", 0.01)
    asyncio.run(ChildOfParent(NO_LINK, leads=False).router_took_it())


def test_nothing_to_finish_is_refused() -> None:
    parent = ChildOfParent(NO_LINK, leads=False)
    assert asyncio.run(parent.finish()) is Reload.REFUSED


class Told:
    """A link that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []

    async def run(self, _answers: Answers) -> None:
        await asyncio.Event().wait()

    def tell(self, name: str, details: object = None) -> None:
        self.told.append((name, details))

    async def flush(self) -> None:
        """All is sent at once."""


def test_failed_child_tells_its_parent_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object) -> None:
        raise StartPositionError("no position")

    monkeypatch.setattr(Process, "run", fails)
    link = Told()
    options = Options(role=Role.SENDER)
    assert asyncio.run(run_child(process().config, options, cast("Link", link))) == 4
    assert link.told == [("failed", "no position")]
