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
    while asking._writer is None or answering._writer is None:  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(0)
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
    async def check() -> None:
        other_is_answered = asyncio.Event()

        async def slow(number: int) -> int:
            await other_is_answered.wait()
            return number

        async def quick(number: int) -> int:
            other_is_answered.set()
            return await twice(number)

        async with linked({"twice": quick, "slow": slow}) as (link, _, _):
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
    async def check() -> None:
        given_up = asyncio.Event()

        async def late(_: object) -> str:
            await given_up.wait()
            return "late"

        async with linked({"late": late, "twice": twice}) as (link, _, _):
            with pytest.raises(TimeoutError):
                await link.ask("late", 0.01)
            given_up.set()  # its answer is sent before the next one's
            assert await link.ask("twice", WITHIN, 4) == 8

    run(check)


def test_closed_link_ends_questions_at_once() -> None:
    async def check() -> None:
        asked_for = asyncio.Event()

        async def never(_: object) -> Any:
            asked_for.set()
            await asyncio.Event().wait()

        async with linked({"never": never}) as (link, answering, _):
            asked = asyncio.create_task(link.ask("never", WITHIN))
            await asked_for.wait()
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
            with capture_logs() as logs:
                with pytest.raises(TimeoutError):
                    await link.ask("fails", 0.1)
                while not logs:  # noqa: ASYNC110 - no event tells
                    await asyncio.sleep(0)
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
