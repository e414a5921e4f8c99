"""A vendor that answers at once, for little CPU: `python -m benchmarks.throughput.sink PORT`.

A body is counted, not kept. `GET /stats` answers with calls and bytes so far.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.support import local_http
from tests.support.kafka import free_ports

HEAD_END = b"\r\n\r\n"
BODY = b'{"code":200}'


@dataclass(slots=True)
class Count:
    """What came: calls, the bytes of their bodies, and when each began (monotonic)."""

    calls: int = 0
    size: int = 0
    began: list[float] = field(default_factory=list)


class Connection(asyncio.BufferedProtocol):
    """HTTP/1.1 with Content-Length, one request after the other."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._buffer = memoryview(bytearray(1 << 18))
        self._head = b""
        self._left = 0
        """Bytes of the body that are still to come."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def get_buffer(self, _: int) -> memoryview:
        """Where the next bytes go: over those of before."""
        return self._buffer

    def buffer_updated(self, size: int) -> None:
        """Skip a body, or read a head."""
        skipped = min(size, self._left)
        self._left -= skipped
        if skipped and not self._left:
            self._answer(BODY)
        self._head += self._buffer[skipped:size]
        if HEAD_END in self._head:
            self._begin(*self._head.split(HEAD_END, 1))

    def _begin(self, head: bytes, rest: bytes) -> None:
        self._head = b""
        if head.startswith(b"GET /stats"):
            return self._answer(b"%d %d" % (self._count.calls, self._count.size))
        lines = head.lower().split(b"\r\n")
        length = next(line for line in lines if line.startswith(b"content-length:"))
        size = int(length.partition(b":")[2])
        self._count.calls += 1
        self._count.size += size
        self._count.began.append(time.monotonic())
        self._left = size - len(rest)
        if not self._left:
            self._answer(BODY)
        return None

    def _answer(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self._transport.write(head % len(body) + body)


async def serve(port: int, count: Count) -> None:
    """Answer until cancelled."""
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(count), "127.0.0.1", port
    )
    async with server:
        await server.serve_forever()


@contextmanager
def running() -> Iterator[str]:
    """Run a sink as a process of its own; yield its address."""
    [port] = free_ports(1)
    process = subprocess.Popen([sys.executable, "-m", __name__, str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        transport = httpx.HTTPTransport(retries=8)
        with httpx.Client(transport=transport) as client:
            client.get(f"{url}/stats").raise_for_status()
        yield url
    finally:
        process.kill()
        process.wait()


def calls_and_bytes(url: str) -> tuple[int, int]:
    """What a sink has counted so far."""
    calls, size = local_http.get(f"{url}/stats").text.split()
    return int(calls), int(size)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Count()))
