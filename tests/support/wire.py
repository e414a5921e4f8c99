"""A vendor's side of the wire, byte for byte: a server that says what it is told, and a proxy.

Both live in the test's own event loop and are asynchronous context managers.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Literal, Self

HOST = "127.0.0.1"
Ending = Literal["close", "reset", "hang", "eager"]


class _Listening:
    """Serves connections; when it is left, all of them have ended."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._serving: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, 0, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        for writer in self._writers:
            with suppress(OSError):
                await writer.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self._serving.add(asyncio.ensure_future(self._until_closed(reader, writer)))

    async def _until_closed(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            await self._serve(reader, writer)
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError


class Server(_Listening):
    """Reads a request, writes `reply`, and ends as told. `requests` has what arrived whole.

    An eager one replies to the first byte, whatever it is.
    """

    def __init__(
        self, reply: bytes, ending: Ending = "close", tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(tls)
        self.requests: list[bytes] = []
        self._reply = reply
        self._ending = ending

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._ending == "eager":
            await reader.read(1)
            writer.write(self._reply)
            await reader.read()
            return
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(head + await reader.readexactly(_length(head)))
        if self._ending == "reset":
            lingering = struct.pack("ii", 1, 0)
            peer = writer.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
            return
        writer.write(self._reply)
        await writer.drain()
        if self._ending == "hang":
            await reader.read()  # until the client gives up


class Keeping(_Listening):
    """Keeps its connections, as a vendor's server does: each request gets the next of `replies`.

    `requests` has (number of the connection, request) of all that arrived whole. With
    `close_after_reply` it ends a connection behind its first answer.
    """

    def __init__(self, replies: Iterable[bytes], tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.requests: list[tuple[int, bytes]] = []
        self.close_after_reply = False
        self._replies = iter(replies)
        self._connections = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        connection = self._connections
        open_still = True
        while open_still:
            head = await reader.readuntil(b"\r\n\r\n")
            request = head + await reader.readexactly(_length(head))
            self.requests.append((connection, request))
            writer.write(next(self._replies))
            await writer.drain()
            open_still = not self.close_after_reply


class Proxy(_Listening):
    """An HTTP proxy that only knows CONNECT. `asked` has the heads that arrived.

    `answer` other than 200 refuses the way.
    """

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> None:
        super().__init__()
        self.asked: list[bytes] = []
        self._answer = answer

    @property
    def url(self) -> str:
        """For a client's settings."""
        return f"http://{HOST}:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head)
        writer.write(self._answer)
        await writer.drain()
        if b" 200 " in self._answer:
            host, port = head.split(b" ")[1].decode().split(":")
            there, back = await asyncio.open_connection(host, int(port))
            self._writers.append(back)
            await asyncio.gather(_pump(reader, back), _pump(there, writer))


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await source.read(65_536):
            target.write(chunk)
            await target.drain()
    target.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
