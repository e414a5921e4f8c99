"""Deliberate faults: which fault hits a call, and answers that no well-behaved server gives.

Cutting a connection needs the connection. ASGI does not expose it, so the double's server puts the
transport of each connection into the request's state (see `server.py`). Run in any other way (in
process, or by another server) a cut is raised as `ConnectionResetError`.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping
from dataclasses import replace

from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from consumer.sandbox import customer_radar, pisano
from consumer.sandbox.settings import Faults
from consumer.sandbox.wire import Reply

TRANSPORT = "transport"
"""The key of the connection's transport in the request's state."""

_PAGES: Mapping[str, tuple[int, type[Response], str]] = {
    "html_200": (
        200,
        HTMLResponse,
        "<!doctype html><title>Gateway</title><p>Please sign in to the network.</p>",
    ),
    "gateway_403": (403, HTMLResponse, "<h1>Request blocked</h1>"),
    "gateway_404": (404, PlainTextResponse, "404 page not found"),
    "error_500": (500, HTMLResponse, "<h1>Something went wrong</h1>"),
    "error_503": (503, HTMLResponse, "<h1>Something went wrong</h1>"),
}
"""Fault → status, kind and text of the page shown in the vendor's place."""

_UNANSWERED = frozenset({"reset", "hang"})
_BEFORE = frozenset({"gateway_403", "gateway_404"})
"""Faults that keep a call from the vendor."""

_WRONG_TOKEN = "13001"  # noqa: S105 - an error code


def pick(faults: Faults, vendor: str, draw: float, reply: Reply | None = None) -> str | None:
    """Return the fault of a call to this vendor, if any; `draw` is uniform in [0, 1).

    `reply`: the vendor's answer without a fault; it names the call's campaign and customers.
    """
    if vendor not in faults.vendors:
        return None
    if reply is not None and (kind := _assigned_fault(faults, vendor, reply)) is not None:
        return kind
    for kind, share in faults.rates().items():
        if _is_other_vendors(kind, vendor):
            continue
        draw -= share
        if draw < 0:
            return kind
    return None


def _assigned_fault(faults: Faults, vendor: str, reply: Reply) -> str | None:
    """Return the fault of the call's customers, else of its campaign."""
    for kinds, named in (
        (faults.customers, reply.recipients),
        (faults.campaigns, [reply.campaign]),
    ):
        for kind, listed in kinds.items():
            if not (_is_other_vendors(kind, vendor) or listed.isdisjoint(named)):
                return kind
    return None


def _is_other_vendors(kind: str, vendor: str) -> bool:
    """Tell whether a fault is a code of another vendor."""
    return kind.isdigit() and vendor != ("pisano" if kind.startswith("13") else "radar")


def distort(reply: Reply, fault: str, faults: Faults, vendor: str) -> Reply:
    """Return the reply for the journal under a fault: what was shown, and whether it acted."""
    if fault == "unauthorized" or fault.isdigit():
        code, status, body = _make_refusal(fault, vendor)
        return replace(reply, status=status, body=body, code=code, accepted=False)
    status = 0 if fault in _UNANSWERED else reply.status
    return replace(
        reply,
        status=_PAGES[fault][0] if fault in _PAGES else status,
        accepted=reply.accepted and faults.act_before_fault and fault not in _BEFORE,
    )


def _make_refusal(fault: str, vendor: str) -> tuple[str, int, bytes]:
    """Return code, status and body of a refusal in the vendor's form."""
    if vendor == "pisano":
        code = _WRONG_TOKEN if fault == "unauthorized" else fault
        return (code, *pisano.error(code))
    if vendor == "batch":
        return (fault, 401, b'{"message": "unauthorized"}')
    if fault == "unauthorized":
        return ("40100", *customer_radar.error("The token is unknown or has expired.", 401))
    return (fault, *customer_radar.error("An error occurred.", code=fault))


def make_response(reply: Reply, fault: str | None, hung: set[asyncio.Transport]) -> Response:
    """Return the answer to show. `hung` collects the connections that wait for ever."""
    match fault:
        case "reset":
            return Reset()
        case "hang":
            return Hang(hung)
        case "truncate":
            return Truncated(reply.body, reply.status, media_type="application/json")
    if fault is not None and fault in _PAGES:
        _, kind, text = _PAGES[fault]
        return kind(text, reply.status)
    headers = dict(reply.headers or {})
    return Response(reply.body, reply.status, headers, media_type="application/json")


class Reset(Response):
    """Cuts the connection before the first byte of an answer: the client sees a reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        transport = _transport(scope)
        if transport is None:
            raise ConnectionResetError
        # Closing with data unsent or a linger of zero makes the kernel send RST instead of FIN.
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        transport.abort()
        await _wait_for_disconnect(receive)


class Truncated(Response):
    """Announces the whole body, sends half of it and closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
        transport = _transport(scope)
        if transport is None:
            raise ConnectionResetError
        transport.close()
        await _wait_for_disconnect(receive)


class Hang(Response):
    """Never answers: ends when the client disconnects, or the server closes what is in `hung`."""

    def __init__(self, hung: set[asyncio.Transport]) -> None:
        super().__init__()
        self._hung = hung

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        transport = _transport(scope)
        if transport is not None:
            self._hung.add(transport)
        try:
            await _wait_for_disconnect(receive)
        finally:
            if transport is not None:
                self._hung.discard(transport)


def _transport(scope: Scope) -> asyncio.Transport | None:
    found = scope.get("state", {}).get(TRANSPORT)
    return found if isinstance(found, asyncio.Transport) else None


async def _wait_for_disconnect(receive: Receive) -> None:
    """Wait until the connection is closed; uvicorn complains of an answer that never started."""
    while (await receive())["type"] != "http.disconnect":
        pass
