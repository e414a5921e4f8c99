"""Vendors' answers as bytes on a connection, read by the real `VendorClient`.

The network's own fate (when bytes leave, when an answer comes) is `wire`'s. Here an answer that has
come is written as servers and gateways write it, a way drawn by the seed, and httpx, h11, the
repair of heads and the unpacking of bodies read it. Whichever way, it must mean what it says.

    VendorDouble ──Answer──► written(way) ──bytes──► _Connection ──► VendorClient ──► Exchange

asyncio runs for each answer until it is read, and never waits: all bytes are there.
"""

from __future__ import annotations

import asyncio
import gzip
import random
import ssl
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from math import inf
from typing import Any

import httpcore

from consumer.http.answer_head import LenientBackend
from consumer.http.client import Exchange, VendorClient
from consumer.records.call import Answer, Call

CUT = "cut"
"""The way that is no whole answer."""

NEVER = 1e6
"""Seconds of patience: all bytes are there, however slow the machine is."""

_OTHER = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"code":"00000"}'
"""A second answer, which belongs to no call."""


def _head(answer: Answer, *more: bytes) -> bytes:
    lines = [b"HTTP/1.1 %d OK" % answer.status]
    lines += [b"%s: %s" % (name.encode(), text.encode()) for name, text in answer.headers.items()]
    return b"\r\n".join([*lines, *more, b"", b""])


def _sized(answer: Answer, *more: bytes) -> bytes:
    return _head(answer, *more, b"Content-Length: %d" % len(answer.body)) + answer.body


def _chunks(body: bytes) -> bytes:
    half = len(body) // 2
    parts = [b"%x\r\n%s\r\n" % (len(each), each) for each in (body[:half], body[half:]) if each]
    return b"".join([*parts, b"0\r\n\r\n"])


def _packed(answer: Answer, coding: bytes, body: bytes) -> bytes:
    return _sized(Answer(answer.status, answer.headers, body), b"Content-Encoding: " + coding)


Way = Callable[[Answer], bytes]

WAYS: dict[str, Way] = {
    "sized": _sized,
    "chunked": lambda answer: _head(answer, b"Transfer-Encoding: chunked") + _chunks(answer.body),
    "chunked-twice": lambda answer: (
        _head(answer, b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked")
        + _chunks(answer.body)
    ),
    "to-the-end": lambda answer: _head(answer) + answer.body,
    "another-answer": lambda answer: _sized(answer) + _OTHER,
    "same-answer-twice": lambda answer: _sized(answer) * 2,
    "blank-lines": lambda answer: b"\r\n" + _sized(answer) + b"\r\n\r\n",
    "trailing-bytes": lambda answer: _sized(answer) + b"\0\0</html>",
    "gzip": lambda answer: _packed(answer, b"gzip", gzip.compress(answer.body, mtime=0)),
    "deflate": lambda answer: _packed(answer, b"deflate", zlib.compress(answer.body)),
    "cookies": lambda answer: _sized(answer, *(b"Set-Cookie: s%d=%0100d" % (n, n) for n in (1, 2))),
    "no-header-line": lambda answer: _sized(answer, b"this is no header", b"X-Odd: \0\1"),
    "folded-line": lambda answer: _sized(answer, b"X-Long: one", b"\ttwo"),
    "early-hints": lambda answer: b"HTTP/1.1 103 Early Hints\r\n\r\n" + _sized(answer),
    "own-reason": lambda answer: _sized(answer).replace(b" OK", " Sağ ol".encode(), 1),
}
"""Name → how an answer is written. None of them changes what it means."""


class AnswerBytes:
    """One world's answers as bytes. `wrong`: what a client asked that it must not ask."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._loop = asyncio.new_event_loop()
        self.wrong: list[str] = []

    def client(self) -> AccountBytes:
        """The connections of one process to one vendor."""
        return AccountBytes(self)

    def draw(self, answer: Answer) -> tuple[str, bytes]:
        """How this answer is written, and its bytes; one in thirty is cut short."""
        if self._rng.random() < 1 / 30:
            return CUT, self.cut(answer)
        name = self._rng.choice(list(WAYS))
        return name, WAYS[name](answer)

    def cut(self, answer: Answer) -> bytes:
        """The answer without its end: no whole answer came."""
        whole = _sized(answer)
        return whole[: self._rng.randrange(len(whole) - 1)]

    def run(self, work: Any) -> Exchange:
        """Until it is read."""
        found: Exchange = self._loop.run_until_complete(work)
        return found

    def close(self) -> None:
        """The world is over."""
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


class AccountBytes:
    """The real client of one account, on connections of its own."""

    def __init__(self, answers: AnswerBytes) -> None:
        self._answers = answers
        self._network = _Network()
        self._client = VendorClient("http://vendor.example", NEVER, _epoch, tls=_no_tls())
        pool: Any = self._client._transport._pool
        backend = pool._network_backend
        lenient = isinstance(backend, LenientBackend)
        pool._network_backend = LenientBackend(self._network) if lenient else self._network

    def read(self, call: Call, answer: bytes) -> Exchange:
        """What the client makes of an answer; what it asked, and must not, is recorded."""
        self._network.answer, self._network.requests = answer, []
        exchange = self._answers.run(self._client.exchange(call, fresh_until=inf))
        requests = self._network.requests
        if len(requests) != 1:
            self._answers.wrong.append(f"one call was made {len(requests)} times")
        if any(b"\r\ncookie:" in request.lower() for request in requests):
            self._answers.wrong.append("a call carried a cookie")
        return exchange

    def answered(self, call: Call, answer: Answer) -> tuple[str, Exchange]:
        """How the answer was written, as the seed draws it, and what the client makes of it."""
        way, written = self._answers.draw(answer)
        return way, self.read(call, written)


@dataclass(slots=True)
class _Network(httpcore.AsyncNetworkBackend):
    """Connections to a vendor that answers each request with `answer`."""

    answer: bytes = b""
    requests: list[bytes] = field(default_factory=list)

    async def connect_tcp(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        """See httpcore."""
        return _Connection(self)

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        """See httpcore."""
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        """See httpcore; it sleeps only before it connects once more."""
        raise AssertionError(f"a client that sleeps for {seconds} s")


@dataclass(slots=True)
class _Connection(httpcore.AsyncNetworkStream):
    """The vendor's side keeps it open, as long as the client does, and closes at the end."""

    network: _Network
    coming: bytes = b""
    open: bool = True

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - httpcore's
        """See httpcore. A request's first bytes are answered at once."""
        if buffer.split(b" ", 1)[0] in {b"POST", b"GET", b"PUT"}:
            self.network.requests.append(buffer)
            self.coming += self.network.answer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109 - httpcore's
        """See httpcore."""
        given, self.coming = self.coming[:max_bytes], self.coming[max_bytes:]
        return given

    async def aclose(self) -> None:
        """See httpcore."""
        self.open = False

    def get_extra_info(self, info: str) -> Any:
        """See httpcore."""
        return bool(self.coming) if info == "is_readable" else None


def _epoch() -> float:
    return 0.0


@cache
def _no_tls() -> ssl.SSLContext:
    """No connection here has TLS; httpx would load all certificates for it."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
