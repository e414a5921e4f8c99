"""A head in, a head out that h11 accepts, whatever the bytes: the status is never another one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import h11
import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.http.answer_head import HEAD_LIMIT, LenientBackend, LenientStream, repaired

NAMES = st.sampled_from(
    [b"Transfer-Encoding", b"Content-Length", b"content-length", b"X", b"Connection", b"", b" "]
)
VALUES = st.sampled_from([b"chunked", b"chunked, chunked", b"5", b"5, 5", b"-1", b"close", b""])
LINES = st.one_of(
    st.binary(max_size=40).filter(lambda line: b"\n" not in line),
    st.builds(lambda name, value: name + b": " + value, NAMES, VALUES | st.binary(max_size=9)),
)


def parsed(raw: bytes) -> h11.Response:
    """What h11 makes of an answer to a POST."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/", headers=[("Host", "a.test")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(raw)
    event = connection.next_event()
    assert isinstance(event, h11.Response)
    return event


@given(
    st.integers(200, 599),
    st.binary(max_size=20).filter(lambda reason: b"\n" not in reason),
    st.lists(LINES, max_size=8),
)
def test_whatever_the_header_lines_the_status_is_read(
    status: int, reason: bytes, lines: list[bytes]
) -> None:
    head = b"\r\n".join([b"HTTP/1.1 %d %s" % (status, reason), *(line for line in lines if line)])

    assert parsed(repaired(head)).status_code == status


@given(st.lists(st.sampled_from([b"chunked", b"gzip", b"identity", b"Chunked"]), min_size=1))
def test_chunks_are_announced_once_if_at_all(codings: list[bytes]) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + b", ".join(codings)

    found = [value for name, value in parsed(repaired(head)).headers if name[:1] == b"t"]

    assert found == [b"chunked"] * any(coding.lower() == b"chunked" for coding in codings)


def test_headers_that_are_good_stay_as_they_are() -> None:
    head = b"HTTP/1.1 429 Slow\r\nRetry-After: 5\r\nDate: today\r\nRetry-After: 7"

    assert list(parsed(repaired(head)).headers) == [
        (b"retry-after", b"5"),
        (b"date", b"today"),
        (b"retry-after", b"7"),
    ]


class Parts(httpcore.AsyncNetworkStream):
    """A connection on which these bytes arrive one after the other."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        self._parts = list(parts)

    async def read(self, *_: Any, **__: Any) -> bytes:
        return self._parts.pop(0) if self._parts else b""


def arrived(parts: Sequence[bytes]) -> bytes:
    """All that is read from such a connection."""

    async def run() -> bytes:
        stream, found = LenientStream(Parts(parts)), b""
        while data := await stream.read(1_000):
            found += data
        assert stream.ended
        return found

    return asyncio.run(run())


ANSWER = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n" + bytes(range(256)) * 8
READ = ANSWER.replace(b" OK", b"")


@given(st.lists(st.integers(0, len(ANSWER)), max_size=6))
def test_in_whatever_pieces_an_answer_comes_it_is_the_same(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(ANSWER)]
    pieces = [ANSWER[a:b] for a, b in pairwise(places) if a < b]

    assert arrived(pieces) == READ


def test_after_the_head_nothing_is_touched() -> None:
    body = b"\n\nHTTP/1.1 500 No\r\nTransfer-Encoding: chunked, chunked\r\n\r\n"

    assert arrived([b"HTTP/1.1 200 OK\r\n\r\n", body]) == b"HTTP/1.1 200\r\n\r\n" + body


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200 OK\r\nA: b\r\n", b"\x15\x03\x03what"])
def test_a_head_that_never_ends_or_is_none_is_handed_on_as_it_is(raw: bytes) -> None:
    assert arrived([raw] if raw else []) == raw


def test_what_is_no_answer_and_has_no_end_is_not_kept() -> None:
    raw = b"x" * (HEAD_LIMIT + 1)

    assert arrived([raw]) == raw


def test_a_backend_waits_as_the_one_behind_it() -> None:
    waited: list[float] = []

    class Behind(httpcore.AsyncMockBackend):
        async def sleep(self, seconds: float) -> None:
            waited.append(seconds)

    asyncio.run(LenientBackend(Behind([])).sleep(3.0))

    assert waited == [3.0]
