"""One HTTP request to a vendor, and exactly how far it got.

A call that failed before its first byte left is safe to repeat; one that failed afterwards is in
doubt. httpcore's trace events tell the two apart. A request that is no longer fresh (the process
was a zombie, frozen between intent and wire) is dropped before its first byte. The CONNECT to a
proxy is not part of the call, and a vendor that refuses our certificate has read nothing.

One connection carries one call (docs/decisions/0009): no answer can be taken for another call's,
and no call leaves on a connection that the vendor is about to close. httpx's transport is used
without its client, so that there are no cookies, no redirects and no unbounded decompression.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import httpx
import structlog

from consumer.errors import DispatcherError
from consumer.http.answer_head import LenientBackend
from consumer.http.connection_errors import refused_certificate, why, words_of
from consumer.records.call import Answer, Call

CONNECT_TIMEOUT = 10.0

HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": "survey-dispatcher",
}
"""Default headers of each call; its vendor module may override them. `close`: RFC 9112 9.6 requires
it of a client that keeps no connection, and it lets the vendor close first, so that no local port
stays in TIME_WAIT."""

BODY_LIMIT: Final = 64 * 1024
"""Bytes of an answer's body that are read, compressed and decompressed."""

_WINDOWS: Final[Mapping[str, tuple[int, ...]]] = {
    "gzip": (31,),
    "x-gzip": (31,),
    "deflate": (15, -15),  # with zlib's header, as the RFC says, and without, as some servers do
}
"""Content coding → zlib's window bits, to be tried in this order."""

FIRST_BYTE = "send_request_headers.started"

Trace = Callable[[str, Mapping[str, object]], Awaitable[None]]

log = structlog.get_logger(__name__)


class _StaleError(DispatcherError):
    """The call is older than it may be: another process may own the lane by now."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Outcome of a request. `sent_at`: None if no byte left; `failure`: None if it was answered;
    `not_reached`: why no connection was made, in a few words."""

    at: float
    sent_at: float | None = None
    answer: Answer | None = None
    failure: str | None = None
    not_reached: str | None = None


class VendorClient:
    """Makes a vendor account's calls. Redirects are never followed, proxies never guessed.

    `name` is the account's name in the log, which reports once that the vendor is unreachable, and
    why.
    """

    def __init__(
        self,
        base_url: str,
        timeout: float,
        now: Callable[[], float],
        *,
        name: str = "",
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
    ) -> None:
        self._base_url = base_url
        self._timeout = timeout
        self._now = now
        self._name = name
        self._unreachable: str | None = None
        # Less than the whole timeout: a cancelled handshake leaves its socket open.
        connect = min(CONNECT_TIMEOUT, 0.9 * timeout)
        self._timeouts = httpx.Timeout(timeout, connect=connect).as_dict()
        self._transport = _transport(tls, proxy)

    @property
    def unreachable(self) -> str | None:
        """Why the vendor was not reached by the last request; None if it was, or there was none."""
        return self._unreachable

    async def close(self) -> None:
        """Drop all connections, also those of calls in flight."""
        await self._transport.aclose()

    async def exchange(self, call: Call, *, fresh_until: float) -> Exchange:
        """Make one request; raises neither for network or vendor, nor once a byte has left."""
        sent: list[float] = []
        failure: str | None = None
        not_reached: str | None = None
        answer: Answer | None = None
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._request(call, self._tracer(sent, fresh_until))
            self._reached()
        except _StaleError:
            failure = "stale"
        except Exception as error:  # noqa: BLE001 - once a byte has left, the vendor may have acted
            failure = self._failure(error, sent)
            not_reached = None if sent else words_of(error)
        return Exchange(self._now(), sent[0] if sent else None, answer, failure, not_reached)

    def _tracer(self, sent: list[float], fresh_until: float) -> Trace:
        """Return a trace that records in `sent` when the first byte leaves, or raises if stale."""

        async def trace(event: str, info: Mapping[str, object]) -> None:
            if event.endswith(FIRST_BYTE):
                now = self._now()
                if now > fresh_until:
                    raise _StaleError
                if not _for_proxy(info):
                    sent.append(now)

        return trace

    def _failure(self, error: Exception, sent: list[float]) -> str:
        """Return how the call failed. Raises `error` if it is a defect and nothing has left."""
        if not (sent or isinstance(error, httpx.HTTPError | OSError)):
            raise error
        if refused_certificate(error):
            sent.clear()
        if not sent:
            return self._not_reached(error)
        return "timeout" if isinstance(error, TimeoutError | httpx.TimeoutException) else "reset"

    def _not_reached(self, error: Exception) -> str:
        reason = why(error)
        if reason != self._unreachable:
            self._unreachable = reason
            log.warning("vendor_unreachable", vendor=self._name, why=reason)
        return "connect_error"

    def _reached(self) -> None:
        if self._unreachable is not None:
            self._unreachable = None
            log.info("vendor_reached", vendor=self._name)

    async def _request(self, call: Call, trace: Trace) -> Answer:
        headers = httpx.Headers(HEADERS)
        headers.update(call.headers)
        request = httpx.Request(
            call.method,
            self._base_url + call.path if call.url is None else call.url,
            headers=headers,
            content=call.body,
            extensions={"trace": trace, "timeout": self._timeouts},
        )
        response = await self._transport.handle_async_request(request)
        found = {name.lower(): value for name, value in response.headers.items()}
        body = unpacked(await _body(response), found.get("content-encoding", ""))
        if body is None and response.is_success:
            raise httpx.DecodingError("a success that cannot be read")
        return Answer(response.status_code, found, body or b"")


def _transport(tls: ssl.SSLContext | None, proxy: str | None) -> httpx.AsyncHTTPTransport:
    transport = httpx.AsyncHTTPTransport(
        verify=tls if tls is not None else True,
        trust_env=False,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        proxy=proxy,
    )
    # httpcore's pools take a network backend as an argument; httpx does not hand one on.
    pool = transport._pool  # noqa: SLF001 - see above; tests/contract/test_answers_on_the_wire.py
    pool._network_backend = LenientBackend(pool._network_backend)  # noqa: SLF001 - the same
    return transport


async def _body(response: httpx.Response) -> bytes:
    """Return at most `BODY_LIMIT` bytes, compressed as they came; if the rest is malformed, what
    came whole.

    Raises httpx.HTTPError for a body that was cut short: the answer is incomplete.
    """
    body = b""
    try:
        async for chunk in response.stream:  # type: ignore[union-attr]  # an asynchronous one
            body += chunk
            if len(body) >= BODY_LIMIT:
                break
    except httpx.RemoteProtocolError:
        if response.extensions["network_stream"].ended:
            raise
    finally:
        await response.stream.aclose()  # type: ignore[union-attr]  # an asynchronous one
    return body[:BODY_LIMIT]


def unpacked(body: bytes, content_encoding: str) -> bytes | None:
    """Return at most `BODY_LIMIT` bytes of the decompressed body; None if it cannot be
    decompressed.

    Requests ask for `identity`. An answer that is compressed all the same costs at most 64 KiB in
    and out, so it does not delay the event loop. Vendors do not compress an answer twice.
    """
    codings = [coding.strip().lower() for coding in content_encoding.split(",")]
    packed = [coding for coding in codings if coding not in {"", "identity"}]
    if not (packed and body):
        return body
    for window in _WINDOWS.get(",".join(packed), ()):
        try:
            return zlib.decompressobj(window).decompress(body, BODY_LIMIT)
        except zlib.error:
            continue
    return None


def _for_proxy(info: Mapping[str, object]) -> bool:
    """Return whether these bytes only ask a proxy to connect to the vendor."""
    return getattr(info.get("request"), "method", None) == b"CONNECT"
