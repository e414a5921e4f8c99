"""The admin port by raw sockets: no connection is held for ever, and a probe gets through."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator, Iterator

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from consumer.observability import admin_connections
from consumer.observability.admin_connections import (
    HEAD_BYTES,
    MAX_CONNECTIONS,
)
from consumer.observability.admin_server import (
    admin_app,
    serve_admin,
)
from consumer.observability.health import Health
from consumer.observability.metrics.metrics import Metrics

HOST = "127.0.0.1"
NEVER = 1e6
SOON = 0.05
GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def slow(_: Request) -> Response:
    """Is answered when its task is cancelled, so never."""
    await asyncio.Event().wait()
    return PlainTextResponse("late")


async def large(_: Request) -> Response:
    """More than the buffers between two sockets hold."""
    return PlainTextResponse("x" * 50_000_000)


class Server:
    """A running admin server and the connections to it, which end with the test."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._made: list[asyncio.StreamWriter] = []

    async def connect(self, said: bytes = b"") -> Connection:
        reader, writer = await asyncio.open_connection(HOST, self.port)
        self._made.append(writer)
        writer.write(said)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        return reader, writer

    async def probe(self) -> bytes:
        """The first line of what /livez answers on a connection of its own."""
        reader, _ = await self.connect(GET)
        with contextlib.suppress(ConnectionError):
            return await reader.readline()
        return b""

    async def close(self) -> None:
        for writer in self._made:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    app = admin_app(Metrics(campaigns=[]), Health(lambda: 0.0), lambda: b"{}")
    app.router.routes += [Route("/slow", slow), Route("/large", large)]
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve_admin(app, HOST, 0, started=port.set_result))
    server = Server(await port)
    try:
        yield server
    finally:
        await server.close()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What came until the server closed the connection."""
    with contextlib.suppress(ConnectionError):
        return await reader.read()
    return b""


@pytest.fixture
def deadlines(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """None of them ends by itself, but for those that a test sets."""
    monkeypatch.setattr(admin_connections, "HEAD_S", NEVER)
    monkeypatch.setattr(admin_connections, "ANSWER_S", NEVER)
    return monkeypatch  # type: ignore[return-value]  # pytest takes it as it is


@pytest.mark.parametrize("said", [b"", b"GET /livez", b"GET /livez HTTP/1.1\r\nHost: x\r\n"])
def test_half_a_request_is_not_held_for_ever(said: bytes, deadlines: pytest.MonkeyPatch) -> None:
    deadlines.setattr(admin_connections, "HEAD_S", SOON)

    async def main() -> None:
        async with serving() as server:
            reader, _ = await server.connect(said)
            assert await ended(reader) == b""

    asyncio.run(main())


def test_bytes_that_trickle_in_move_no_deadline(deadlines: pytest.MonkeyPatch) -> None:
    deadlines.setattr(admin_connections, "HEAD_S", SOON)

    async def main() -> None:
        async with serving() as server:
            reader, writer = await server.connect(b"GET /livez HTTP/1.1\r\n")
            with contextlib.suppress(ConnectionError):
                while not reader.at_eof():  # for ever, if each byte moved it
                    writer.write(b"X: y\r\n")
                    await writer.drain()
                    await asyncio.sleep(SOON / 10)

    asyncio.run(main())


def test_half_a_second_request_on_a_connection_is_not_held_either(
    deadlines: pytest.MonkeyPatch,
) -> None:
    deadlines.setattr(admin_connections, "HEAD_S", 20 * SOON)

    async def main() -> None:
        async with serving() as server:
            reader, _ = await server.connect(GET + b"GET /liv")
            assert (await ended(reader)).startswith(b"HTTP/1.1 200")

    asyncio.run(main())


@pytest.mark.parametrize("path", [b"/slow", b"/large"])
def test_an_answer_that_is_not_made_or_not_taken_has_a_deadline(
    path: bytes, deadlines: pytest.MonkeyPatch
) -> None:
    deadlines.setattr(admin_connections, "ANSWER_S", SOON)

    async def main() -> None:
        async with serving() as server:
            reader, _ = await server.connect(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.sleep(2 * SOON)  # nothing is read until it is over
            assert len(await ended(reader)) < 50_000_000

    asyncio.run(main())


def test_several_requests_on_one_connection_are_answered(deadlines: pytest.MonkeyPatch) -> None:
    del deadlines

    async def main() -> None:
        async with serving() as server:
            reader, writer = await server.connect(GET * 3)
            for _ in range(3):
                assert await reader.readuntil(b"ok") != b""
            writer.write(GET)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            writer.close()

    asyncio.run(main())


def test_a_probe_is_answered_however_many_hold_half_a_request(
    deadlines: pytest.MonkeyPatch,
) -> None:
    """Those that have waited longest give way."""
    del deadlines

    async def main() -> None:
        async with serving() as server:
            held = [await server.connect(b"GET /livez") for _ in range(2 * MAX_CONNECTIONS)]
            assert b" 200 " in await server.probe()
            for reader, _ in held[:MAX_CONNECTIONS]:
                assert await ended(reader) == b""
            _, newest = held[-1]
            newest.write(GET[len(b"GET /livez") :])
            assert b" 200 " in await held[-1][0].readline()

    asyncio.run(main())


def test_more_connections_than_files_leave_the_probe_answered(
    deadlines: pytest.MonkeyPatch,
) -> None:
    """1,100 at 1,024 files made /livez fail; here both ends of 700 count."""
    del deadlines
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1_024), hard))

    async def main() -> None:
        async with serving() as server:
            for _ in range(700):
                await server.connect(b"GET /livez")
            assert b" 200 " in await server.probe()

    try:
        asyncio.run(main())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_connection_that_is_answered_gives_way_to_none(deadlines: pytest.MonkeyPatch) -> None:
    del deadlines

    async def main() -> None:
        async with serving() as server:
            busy = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
            held = [await server.connect(busy) for _ in range(MAX_CONNECTIONS)]
            reader, _ = await server.connect()
            assert await ended(reader) == b""
            held[0][1].transport.abort()
            while b" 200 " not in await server.probe():
                pass  # the server has not seen yet that one left

    asyncio.run(main())


def test_a_head_has_a_largest_size(deadlines: pytest.MonkeyPatch) -> None:
    del deadlines

    async def main() -> None:
        async with serving() as server:
            said = b"GET /livez HTTP/1.1\r\nX: " + b"x" * (2 * HEAD_BYTES)
            reader, _ = await server.connect(said)
            assert b" 400 " in await ended(reader)

    asyncio.run(main())
