"""How far a request got decides whether it may be repeated."""

from __future__ import annotations

import asyncio
import gc
import sys

import httpx
import pytest

from consumer.http.client import FIRST_BYTE, Exchange, VendorClient
from consumer.records.call import Call
from tests.support.wire import HOST, Keeping

CALL = Call("POST", "/surveys", {}, b"{}")


class Wire(httpx.AsyncBaseTransport):
    """A connection that reports its first byte, if it comes to that, and then fails."""

    def __init__(self, failure: Exception, *, sends: bool) -> None:
        self._failure = failure
        self._sends = sends

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._sends:
            await request.extensions["trace"](f"http11.{FIRST_BYTE}", {})
        raise self._failure


def exchange(failure: Exception, *, sends: bool, now: float = 100.0) -> Exchange:
    """Call over such a connection; fresh until 105."""

    async def run() -> Exchange:
        client = VendorClient("https://vendor.example", 5.0, lambda: now)
        await client.close()
        client._transport = Wire(failure, sends=sends)  # type: ignore[assignment]  # stands for it
        try:
            return await client.exchange(CALL, fresh_until=105.0)
        finally:
            await client.close()

    return asyncio.run(run())


FORESEEN = [
    (httpx.ReadTimeout("x"), "timeout"),
    (httpx.ReadError("x"), "reset"),
    (OSError(), "reset"),
]
UNFORESEEN = [(RuntimeError("transport is closed"), "reset"), (ValueError(), "reset")]


@pytest.mark.parametrize(("failure", "told"), FORESEEN + UNFORESEEN)
def test_whatever_fails_after_the_first_byte_is_in_doubt(failure: Exception, told: str) -> None:
    """Also unforeseen errors: as a defect of ours it would be sent a second time."""
    assert exchange(failure, sends=True) == Exchange(100.0, 100.0, None, told)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (httpx.ConnectTimeout("x"), "no connection in time"),
        (ConnectionRefusedError(), "connection refused"),
        (httpx.ConnectError("x"), "connection failed"),
        (OSError(), "connection failed"),
    ],
)
def test_what_fails_before_the_first_byte_was_not_sent(failure: Exception, words: str) -> None:
    ended = Exchange(100.0, None, None, "connect_error", words)
    assert exchange(failure, sends=False) == ended


def test_a_defect_before_the_first_byte_is_raised() -> None:
    with pytest.raises(RuntimeError, match="ours"):
        exchange(RuntimeError("ours"), sends=False)


def test_a_request_that_is_no_longer_fresh_does_not_leave() -> None:
    assert exchange(OSError(), sends=True, now=105.1) == Exchange(105.1, None, None, "stale")


def test_a_body_of_megabytes_goes_when_its_call_is_over() -> None:
    """No circle of references keeps it: a garbage collector would come too late."""

    async def call(body: bytes) -> Exchange:
        async with Keeping([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]) as server:
            client = VendorClient(f"http://{HOST}:{server.port}", 5.0, lambda: 100.0)
            try:
                return await client.exchange(Call("POST", "/", {}, body), fresh_until=105.0)
            finally:
                await client.close()

    body = b"x" * 1_000
    before = sys.getrefcount(body)
    gc.disable()
    try:
        exchange = asyncio.run(call(body))
        kept = sys.getrefcount(body) - before
    finally:
        gc.enable()
    assert exchange.answer is not None
    assert kept == 0
