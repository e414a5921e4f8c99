"""One HTTP request to a vendor, and exactly how far it got.

A call that failed before its first byte left is safe to repeat; one that failed afterwards is in
doubt. httpcore's trace events tell the two apart, and a request that is no longer fresh (the
process was frozen between the intent and the wire) is given up before its first byte.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from consumer.errors import DispatcherError
from consumer.model import Answer, Call

BODY_LIMIT = 64 * 1024
CONNECT_TIMEOUT = 10.0
IDLE_SECONDS = 5.0
"""A stale connection would put a whole batch in doubt, so idle ones are dropped early."""

FIRST_BYTE = "send_request_headers.started"


class _StaleError(DispatcherError):
    """The call is older than it may be: somebody else may own the lane by now."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What became of a request: `sent_at` is None if no byte left, `failure` if it was answered."""

    at: float
    sent_at: float | None = None
    answer: Answer | None = None
    failure: str | None = None


class VendorClient:
    """A vendor account's connection pool. Redirects are never followed, proxies never guessed."""

    def __init__(self, base_url: str, timeout: float, now: Callable[[], float]) -> None:
        self._base_url = base_url
        self._timeout = timeout
        self._now = now
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout, connect=min(CONNECT_TIMEOUT, timeout)),
            limits=httpx.Limits(
                max_connections=None, max_keepalive_connections=64, keepalive_expiry=IDLE_SECONDS
            ),
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Drop all connections."""
        await self._client.aclose()

    async def exchange(self, call: Call, *, fresh_until: float) -> Exchange:
        """Make one request; never raises for what the network or the vendor does, nor once a
        byte has left."""
        sent: list[float] = []

        async def trace(event: str, _info: Mapping[str, object]) -> None:
            if event.endswith(FIRST_BYTE):
                now = self._now()
                if now > fresh_until:
                    raise _StaleError
                sent.append(now)

        failure: str | None = None
        answer: Answer | None = None
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._request(call, trace)
        except _StaleError:
            failure = "stale"
        except (TimeoutError, httpx.TimeoutException):
            failure = "timeout" if sent else "connect_error"
        except (httpx.HTTPError, OSError):
            failure = "reset" if sent else "connect_error"
        except Exception:
            if not sent:
                raise
            failure = "reset"  # whatever it was, the vendor may have acted
        return Exchange(self._now(), sent[0] if sent else None, answer, failure)

    async def _request(self, call: Call, trace: object) -> Answer:
        request = self._client.build_request(
            call.method,
            self._base_url + call.path,
            headers=dict(call.headers),
            content=call.body,
            extensions={"trace": trace, "timeout": self._client.timeout.as_dict()},
        )
        response = await self._client.send(request, stream=True)
        try:
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) >= BODY_LIMIT:
                    break
        finally:
            await response.aclose()
            # httpx ties the response to its stream in a circle, and the request's body hangs on it:
            # with megabytes a call, the garbage collector comes too late.
            response.stream = httpx.ByteStream(b"")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, body[:BODY_LIMIT])
