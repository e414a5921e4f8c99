"""Link: questions and answers between parent and child, over a socket pair.

A frame is its length in four bytes, then a message in msgpack. Either end asks and answers; an end
answers each question in a task of its own, so that a probe never waits for a reload.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import msgspec
import structlog

from consumer.errors import defect

Answers = Mapping[str, Callable[[Any], Awaitable[Any]]]
"""Question → what answers it, given its details."""

HEAD = 4

log = structlog.get_logger(__name__)


class LinkClosedError(Exception):
    """The process at the other end has ended, or ends."""


class Message(msgspec.Struct, array_like=True):
    """A question if it has a `name`, else the answer to question `number` of the other end."""

    number: int
    name: str
    details: Any = None


class Link:
    """One end of the link. Only its event loop uses it, except `tell_from_thread`."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._writer: asyncio.StreamWriter | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, answers: Answers) -> None:
        """Answer questions and receive answers until the other end closes, or until cancelled."""
        self._loop = asyncio.get_running_loop()
        reader, self._writer = await asyncio.open_connection(sock=self._end)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    size = int.from_bytes(await reader.readexactly(HEAD))
                    frame = await reader.readexactly(size)
                    self._take(msgspec.msgpack.decode(frame, type=Message), answers)
        finally:
            for future in self._waiting.values():
                future.cancel()
            self._waiting.clear()
            for task in self._answering:
                task.cancel()
            self._writer.close()
            self._writer = None

    async def ask(self, name: str, within: float, details: object = None) -> Any:
        """Return the answer. Raises TimeoutError after `within` seconds, LinkClosedError."""
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._send(Message(number, name, details))
            async with asyncio.timeout(within):
                await asyncio.wait([future])
        finally:
            self._waiting.pop(number, None)
        if future.cancelled():
            raise LinkClosedError
        return future.result()

    def tell(self, name: str, details: object = None) -> None:
        """Send a question of which no answer is awaited. Without effect on a closed link."""
        with suppress(LinkClosedError):
            self._send(Message(next(self._numbers), name, details))

    def tell_from_thread(self, name: str, details: object = None) -> None:
        """As `tell`, from any thread. Without effect once the loop is closed."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.tell, name, details)

    async def flush(self) -> None:
        """Wait until the system has taken what was sent."""
        if self._writer is not None:
            with suppress(ConnectionError):
                await self._writer.drain()

    def _send(self, message: Message) -> None:
        if self._writer is None or self._writer.is_closing():
            raise LinkClosedError
        frame = msgspec.msgpack.encode(message)
        self._writer.write(len(frame).to_bytes(HEAD) + frame)

    def _take(self, message: Message, answers: Answers) -> None:
        if message.name:
            task = asyncio.create_task(self._answer(message, answers))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        elif (future := self._waiting.get(message.number)) is not None and not future.done():
            future.set_result(message.details)

    async def _answer(self, question: Message, answers: Answers) -> None:
        try:
            answer = await answers[question.name](question.details)
            self._send(Message(question.number, "", answer))
        except LinkClosedError:
            pass
        except Exception as error:  # noqa: BLE001 - the link must outlive an answer
            log.error("link_failed", question=question.name, error=defect(error))
