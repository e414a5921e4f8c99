"""The double as a Starlette application: the vendors' endpoints, and its own under `/_sandbox/`.

    GET  /                    a page that shows the summary and the last calls
    GET  /_sandbox/summary    the journal's totals
    GET  /_sandbox/log        the last calls, newest first (`?limit=`, by default 100)
    GET  /_sandbox/faults     the faults in force, without the addresses of `customers`;
                              POST replaces them (`Faults` as JSON)
    POST /_sandbox/account    changes the vendors' view of our account (parts of `Account` as
                              JSON): tokens, passwords, campaigns, bad recipients; returns the
                              changed names
    POST /_sandbox/reset      resets totals, throttles, tokens, faults, account to the start
    any other path            a vendor's call

No answer under `/` or `/_sandbox/` contains a recipient in clear.
"""

from __future__ import annotations

import asyncio
import time
from importlib import resources
from typing import Any

import orjson
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consumer.sandbox.double import Double
from consumer.sandbox.journal import LOG_LENGTH
from consumer.sandbox.settings import Account, Faults, SandboxSettings

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
}


class _Endpoints:
    def __init__(self, double: Double) -> None:
        self._double = double
        self._page = resources.files("consumer.sandbox").joinpath("page.html").read_text("utf-8")

    def routes(self) -> list[Route]:
        return [
            Route("/", self.page),
            Route("/_sandbox/summary", self.summary),
            Route("/_sandbox/log", self.log),
            Route("/_sandbox/faults", self.faults, methods=["GET", "POST"]),
            Route("/_sandbox/account", self.account, methods=["POST"]),
            Route("/_sandbox/reset", self.reset, methods=["POST"]),
            Route("/{path:path}", self.call, methods=_METHODS),
        ]

    async def call(self, request: Request) -> Response:
        try:
            body = await request.body()
        except ClientDisconnect:  # the request is incomplete, and its client is gone
            return Response(status_code=400)
        before, after = self._double.latency()
        await _pause(before)
        path, headers = request.scope["path"], dict(request.headers)
        response = self._double.call(request.method, path, headers, body, _target(request))
        await _pause(after)
        return response

    async def faults(self, request: Request) -> Response:
        if request.method == "POST":
            try:
                self._double.faults = Faults.model_validate_json(await request.body())
            except ValidationError as refused:
                return _refusal_response(refused)
        return _json_response(self._double.faults.model_dump(mode="json", exclude={"customers"}))

    async def account(self, request: Request) -> Response:
        try:
            account = Account.model_validate_json(await request.body())
        except ValidationError as refused:
            return _refusal_response(refused)
        self._double.change(account)
        return _json_response({"changed": sorted(account.model_fields_set)})

    async def reset(self, _: Request) -> Response:
        self._double.reset()
        return _json_response(self._double.journal.summary())

    async def summary(self, _: Request) -> Response:
        return _json_response(self._double.journal.summary())

    async def log(self, request: Request) -> Response:
        limit = request.query_params.get("limit", "100")
        if not (limit.isascii() and limit.isdigit()):
            return _json_response({"error": "limit must be a whole number"}, 400)
        return _json_response(self._double.journal.recent(min(int(limit[:9]), LOG_LENGTH)))

    async def page(self, _: Request) -> Response:
        return HTMLResponse(self._page, headers=_PAGE_HEADERS)


def create_app(settings: SandboxSettings) -> Starlette:
    """Make the application; `app.state.double` is its `Double`, with the journal."""
    double = Double(settings, time.time)
    app = Starlette(routes=_Endpoints(double).routes())
    app.state.double = double
    return app


def _target(request: Request) -> str:
    """Return path and query as they were sent: `%2F` in a path is no slash."""
    path: bytes = request.scope.get("raw_path") or b""
    query: bytes = request.scope.get("query_string") or b""
    return (path + (b"?" + query if query else b"")).decode("latin-1")


async def _pause(seconds: float) -> None:
    if seconds > 0:  # a sleep of zero would still yield to the event loop
        await asyncio.sleep(seconds)


def _refusal_response(error: ValidationError) -> Response:
    """Return where and what is wrong, without the input: it may be a secret."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return _json_response({"errors": found}, 400)


def _json_response(document: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(document), status, media_type="application/json")
