"""The admin port by raw sockets: no connection is held for ever, and a probe gets through."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator, Callable, Coroutine

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from consumer.observability import admin_connections
from consumer.observability.admin_connections import HEAD_BYTES, MAX_CONNECTIONS, BoundedProtocol
from consumer.observability.admin_server import admin_app, serve_admin
from consumer.observability.admin_state import ProcessState
from consumer.observability.health import Health
from consumer.observability.metrics.metrics import Metrics

HOST = "127.0.0.1"
NEVER = 1e6
"""Seconds that pass in no test, unless its loop jumps over them."""
GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def slow(_: Request) -> Response:
    """Is answered when its task is cancelled, so never."""
    await asyncio.Event().wait()
    return PlainTextResponse("late")


async def large(_: Request) -> Response:
    """More than the buffers between two sockets hold."""
    return PlainTextResponse("x" * 50_000_000)


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock can jump: deadlines pass at once, and never by themselves."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


def run(main: Coroutine[None, None, None]) -> None:
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main)


def pass_over(seconds: float) -> None:
    """Let that much time pass on the running loop's clock."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Loop)
    loop.ahead += seconds


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until it is so."""
    while not condition():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0)


async def until_read(taken: dict[BoundedProtocol, bytes], said: bytes) -> None:
    """Let the loop turn until a connection of the server has read just that."""
    await until(lambda: said in taken.values())


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
    app = admin_app(ProcessState(Metrics(campaigns=[]), Health(lambda: 0.0), lambda: b"{}"))
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


@pytest.fixture(autouse=True)
def _deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them passes before a test's clock jumps, however slow the machine is."""
    monkeypatch.setattr(admin_connections, "HEAD_S", NEVER)
    monkeypatch.setattr(admin_connections, "ANSWER_S", NEVER)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> dict[BoundedProtocol, bytes]:
    """The server's connections, and what each has read."""
    read: dict[BoundedProtocol, bytes] = {}
    made, received = BoundedProtocol.connection_made, BoundedProtocol.data_received

    def connection_made(self: BoundedProtocol, transport: asyncio.Transport) -> None:
        made(self, transport)
        read[self] = b""

    def data_received(self: BoundedProtocol, data: bytes) -> None:
        received(self, data)
        read[self] += data

    monkeypatch.setattr(BoundedProtocol, "connection_made", connection_made)
    monkeypatch.setattr(BoundedProtocol, "data_received", data_received)
    return read


@pytest.mark.parametrize("said", [b"", b"GET /livez", b"GET /livez HTTP/1.1\r\nHost: x\r\n"])
def test_half_a_request_is_not_held_for_ever(
    said: bytes, taken: dict[BoundedProtocol, bytes]
) -> None:
    async def main() -> None:
        async with serving() as server:
            reader, _ = await server.connect(said)
            await until_read(taken, said)
            pass_over(NEVER)
            assert await ended(reader) == b""

    run(main())


def test_bytes_that_trickle_in_move_no_deadline(taken: dict[BoundedProtocol, bytes]) -> None:
    begun, header = b"GET /livez HTTP/1.1\r\n", b"X: y\r\n"

    async def main() -> None:
        async with serving() as server:
            _, writer = await server.connect(begun)
            for headers in range(10):
                await until_read(taken, begun + headers * header)
                pass_over(NEVER / 10)
                writer.write(header)
            (connection,) = taken
            assert b" 200 " in await server.probe()  # the loop has turned some times
            assert connection.transport.is_closing()

    run(main())


def test_half_a_second_request_on_a_connection_is_not_held_either(
    taken: dict[BoundedProtocol, bytes],
) -> None:
    async def main() -> None:
        async with serving() as server:
            reader, _ = await server.connect(said := GET + b"GET /liv")
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            assert list(taken.values()) == [said]
            pass_over(NEVER)
            assert await ended(reader) == b""

    run(main())


def test_an_answer_that_is_not_made_has_a_deadline(taken: dict[BoundedProtocol, bytes]) -> None:
    async def main() -> None:
        async with serving() as server:
            reader, _ = await server.connect(asked := b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            await until_read(taken, asked)
            pass_over(NEVER)
            assert await ended(reader) == b""

    run(main())


def test_an_answer_that_is_not_taken_has_a_deadline(taken: dict[BoundedProtocol, bytes]) -> None:
    """The client's buffers are full, and the rest waits in the server's."""

    async def main() -> None:
        async with serving() as server:
            reader, _ = await server.connect(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(lambda: any(made(each) for each in taken))
            pass_over(NEVER)
            await until(lambda: all(each.transport.is_closing() for each in taken))
            assert 0 < len(await ended(reader)) < 50_000_000

    def made(connection: BoundedProtocol) -> bool:
        return connection.cycle is not None and connection.cycle.response_complete

    run(main())


def test_several_requests_on_one_connection_are_answered() -> None:
    async def main() -> None:
        async with serving() as server:
            reader, writer = await server.connect(GET * 3)
            for _ in range(3):
                assert await reader.readuntil(b"ok") != b""
            writer.write(GET)
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            writer.close()

    run(main())


def test_a_probe_is_answered_however_many_hold_half_a_request() -> None:
    """Those that have waited longest give way."""

    async def main() -> None:
        async with serving() as server:
            held = [await server.connect(b"GET /livez") for _ in range(2 * MAX_CONNECTIONS)]
            assert b" 200 " in await server.probe()
            for reader, _ in held[:MAX_CONNECTIONS]:
                assert await ended(reader) == b""
            _, newest = held[-1]
            newest.write(GET[len(b"GET /livez") :])
            assert b" 200 " in await held[-1][0].readline()

    run(main())


def test_more_connections_than_files_leave_the_probe_answered() -> None:
    """1,100 at 1,024 files made /livez fail; here both ends of 700 count."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1_024), hard))

    async def main() -> None:
        async with serving() as server:
            for _ in range(700):
                await server.connect(b"GET /livez")
            assert b" 200 " in await server.probe()

    try:
        run(main())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_connection_that_is_answered_gives_way_to_none() -> None:
    async def main() -> None:
        async with serving() as server:
            busy = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
            held = [await server.connect(busy) for _ in range(MAX_CONNECTIONS)]
            reader, _ = await server.connect()
            assert await ended(reader) == b""
            held[0][1].transport.abort()
            while b" 200 " not in await server.probe():
                pass  # the server has not seen yet that one left

    run(main())


def test_a_head_has_a_largest_size() -> None:
    async def main() -> None:
        async with serving() as server:
            said = b"GET /livez HTTP/1.1\r\nX: " + b"x" * (2 * HEAD_BYTES)
            reader, _ = await server.connect(said)
            assert b" 400 " in await ended(reader)

    run(main())
