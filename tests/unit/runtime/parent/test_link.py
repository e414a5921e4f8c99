"""The link between two processes, both ends in one event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.runtime.parent.link import Answers, Link, LinkClosedError

WITHIN = 30.0


@asynccontextmanager
async def linked(answers: Answers) -> AsyncIterator[tuple[Link, asyncio.Task[None], Link]]:
    """A link that asks, and the task of the end that answers."""
    ours, theirs = socket.socketpair()
    asking, answering = Link(ours), Link(theirs)
    tasks = [asyncio.create_task(asking.run({})), asyncio.create_task(answering.run(answers))]
    await asyncio.sleep(0.01)
    yield asking, tasks[1], answering
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def run(check: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await check()

    asyncio.run(main())


async def twice(number: int) -> int:
    return 2 * number


def test_each_question_gets_its_answer() -> None:
    async def slow(number: int) -> int:
        await asyncio.sleep(0.05)
        return number

    async def check() -> None:
        async with linked({"twice": twice, "slow": slow}) as (link, _, _):
            asked = [link.ask("slow", WITHIN, 1), link.ask("twice", WITHIN, 2)]
            assert await asyncio.gather(*asked) == [1, 4]

    run(check)


def test_answer_may_be_large() -> None:
    async def much(size: int) -> bytes:
        return bytes(size)

    async def check() -> None:
        async with linked({"much": much}) as (link, _, _):
            assert len(await link.ask("much", WITHIN, 3_000_000)) == 3_000_000

    run(check)


def test_late_answer_is_a_timeout_and_harms_no_later_question() -> None:
    async def late(_: object) -> str:
        await asyncio.sleep(0.1)
        return "late"

    async def check() -> None:
        async with linked({"late": late, "twice": twice}) as (link, _, _):
            with pytest.raises(TimeoutError):
                await link.ask("late", 0.01)
            await asyncio.sleep(0.15)
            assert await link.ask("twice", WITHIN, 4) == 8

    run(check)


def test_closed_link_ends_questions_at_once() -> None:
    async def never(_: object) -> Any:
        await asyncio.Event().wait()

    async def check() -> None:
        async with linked({"never": never}) as (link, answering, _):
            asked = asyncio.create_task(link.ask("never", WITHIN))
            await asyncio.sleep(0.01)
            answering.cancel()
            with pytest.raises(LinkClosedError):
                await asked
            with pytest.raises(LinkClosedError):
                await link.ask("never", WITHIN)
            link.tell("never")

    run(check)


def test_failed_answer_is_logged_by_its_kind_alone() -> None:
    async def fails(_: object) -> None:
        raise ValueError("secret")

    async def check() -> None:
        async with linked({"fails": fails, "twice": twice}) as (link, _, _):
            with capture_logs() as logs, pytest.raises(TimeoutError):
                await link.ask("fails", 0.1)
            assert [line["event"] for line in logs] == ["link_failed"]
            assert "secret" not in str(logs)
            assert await link.ask("twice", WITHIN, 1) == 2

    run(check)


def test_any_thread_may_tell() -> None:
    async def check() -> None:
        told: asyncio.Queue[str] = asyncio.Queue()
        async with linked({"told": told.put}) as (link, _, _):
            await asyncio.to_thread(link.tell_from_thread, "told", "news")
            async with asyncio.timeout(WITHIN):
                assert await told.get() == "news"

    run(check)
