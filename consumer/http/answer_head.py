"""Lenient parser of an HTTP answer's head: repairs it, as browsers do, for the strict parser (h11).

h11 refuses a whole answer for one bad header line, although the vendor has acted and its status
line says how. A network backend of httpcore sits between socket and parser: it collects the bytes
up to the empty line and hands on a head that h11 accepts. The status line decides; an invalid
header line is dropped; the body's framing is stated once.

    status line    `HTTP/x.y NNN`; its reason is dropped. Without one the bytes pass unchanged.
    header line    `name: value`; a folded line belongs to the one above
    framing        `Transfer-Encoding: chunked` once, else one `Content-Length`, else to the end
    too long       more than `HEAD_LIMIT` bytes: the status alone, without headers and body

Cost: one regular expression for each header line, at most `HEAD_LIMIT` bytes an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import httpcore

HEAD_LIMIT: Final = 64 * 1024

_STATUS = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+(\d{3})(?!\d)", re.IGNORECASE)
_END = re.compile(rb"\n\r?\n")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_LENGTH = re.compile(rb"\d{1,18}")
_FRAMING: Final = frozenset({b"transfer-encoding", b"content-length"})

Header = tuple[bytes, bytes]


class LenientBackend(httpcore.AsyncNetworkBackend):
    """Wraps another backend; repairs the answer heads of its connections."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend) -> None:
        self._backend = backend

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        """See httpcore."""
        return LenientStream(await self._backend.connect_tcp(*args, **kwargs))

    async def sleep(self, seconds: float) -> None:
        """See httpcore."""
        await self._backend.sleep(seconds)


class LenientStream(httpcore.AsyncNetworkStream):
    """One connection. `ended`: the vendor closed it."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._buffer = b""
        self._in_head = True
        self.ended = False

    async def read(self, max_bytes: int, *args: Any, **kwargs: Any) -> bytes:
        """See httpcore; the head is returned in one piece, once it is complete."""
        while self._in_head and not self.ended:
            self._buffer += await self._receive(max_bytes, *args, **kwargs)
            self._in_head = not self._head_read()
        if self._buffer:
            given, self._buffer = self._buffer[:max_bytes], self._buffer[max_bytes:]
            return given
        return await self._receive(max_bytes, *args, **kwargs)

    async def write(self, *args: Any, **kwargs: Any) -> None:
        """See httpcore."""
        await self._stream.write(*args, **kwargs)

    async def aclose(self) -> None:
        """See httpcore."""
        await self._stream.aclose()

    async def start_tls(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        """See httpcore; within TLS another answer begins."""
        return LenientStream(await self._stream.start_tls(*args, **kwargs))

    def get_extra_info(self, info: str) -> Any:
        """See httpcore."""
        return self._stream.get_extra_info(info)

    async def _receive(self, *args: Any, **kwargs: Any) -> bytes:
        data = await self._stream.read(*args, **kwargs)
        self.ended = self.ended or not data
        return data

    def _head_read(self) -> bool:
        """Return whether the buffer begins with the final head, repaired or cut to its status."""
        while True:
            self._buffer = self._buffer.lstrip(b"\r\n")
            end = _END.search(self._buffer)
            if end is None:
                break
            head, rest = self._buffer[: end.start()], self._buffer[end.end() :]
            if not _is_interim(head):
                self._buffer = repaired(head) + rest
                return True
            self._buffer = rest
        if len(self._buffer) <= HEAD_LIMIT:
            return False
        self._buffer = status_alone(self._buffer)
        return True


def repaired(head: bytes) -> bytes:
    """Return a head (given without the empty line that ends it) as h11 accepts it, with that line.
    A head without a status line is handed on unchanged."""
    first, *lines = head.split(b"\n")
    status = _STATUS.match(first)
    if status is None:
        return head + b"\r\n\r\n"
    headers = list(_headers(lines))
    kept = [(name, value) for name, value in headers if name.lower() not in _FRAMING]
    written = [b"%s: %s" % header for header in [*kept, *_framing(headers)]]
    return b"\r\n".join([b"HTTP/1.1 " + status[1], *written, b"", b""])


def status_alone(head: bytes) -> bytes:
    """Reduce an answer whose head has no end to its status."""
    status = _STATUS.match(head)
    return head if status is None else b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % status[1]


def _is_interim(head: bytes) -> bool:
    """Return whether this is an informational answer (1xx) before the final one; 101 is final."""
    status = _STATUS.match(head)
    return status is not None and status[1][:1] == b"1" and status[1] != b"101"


def _headers(lines: Iterable[bytes]) -> Iterable[Header]:
    """Yield the valid header lines in their order, folded ones joined."""
    name, value = b"", b""
    for line in lines:
        if line[:1] in {b" ", b"\t"}:
            value += b" " + line.strip()
            continue
        yield from _valid(name, value)
        name, colon, value = line.partition(b":")
        name, value = (name.rstrip() if colon else b""), value.strip()
    yield from _valid(name, value)


def _valid(name: bytes, value: bytes) -> Iterable[Header]:
    if _NAME.fullmatch(name) and _VALUE.fullmatch(value):
        yield name, value.strip()


def _framing(headers: Iterable[Header]) -> list[Header]:
    """Return the header that frames the body; none if the headers contradict each other."""
    if b"chunked" in _tokens(headers, b"transfer-encoding"):
        return [(b"Transfer-Encoding", b"chunked")]
    lengths = _tokens(headers, b"content-length")
    length = lengths.pop() if len(lengths) == 1 else b""
    return [(b"Content-Length", length)] if _LENGTH.fullmatch(length) else []


def _tokens(headers: Iterable[Header], wanted: bytes) -> set[bytes]:
    """Return the distinct values of a list header, in lower case."""
    values = [value for name, value in headers if name.lower() == wanted]
    return {token.strip().lower() for value in values for token in value.split(b",")}
