"""A vendor that repeats whatever it was told, and its own secrets, in every answer it gives.

It answers as both vendors do: the path tells. What each says is taken in turn from `answers`.
"""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TROUBLE = ("page_500", "refused", "no_json", "unknown_code", "moved", "success")
"""Answers to large calls that end in results, each in its own way. No two in a row are the vendor's
own trouble: after three a lane's circuit would open, and the test would wait for its probes."""

SMALL = {1: "refused", 2: "success"}
"""Customers → the answer to so small a call meanwhile. The search for the bad recipients of a full
call of four then ends, and the campaign does not look wrong as a whole and is not parked."""

SHUT = ("credentials", "campaign", "throttled")
"""Answers after which an account, a campaign or a lane waits for long."""


@dataclass(slots=True)
class EchoingVendor:
    """`said` is put into every body and header; `session` is the token that a login gives."""

    said: str
    session: str
    answers: tuple[str, ...] = ("success",)
    given: Counter[str] = field(default_factory=Counter)
    bodies: list[bytes] = field(default_factory=list)
    _calls: Counter[bool] = field(default_factory=Counter)

    async def answer(self, request: Request) -> Response:
        """To any POST."""
        body = await request.body()
        self.bodies.append(body)
        if request.url.path.endswith("/auth/login"):
            self.given["login"] += 1
            return JSONResponse({"token": self.session, "expiration": 0, "you": body.decode()})
        radar = "invitation" in request.url.path
        kind = self._next(body, radar=radar)
        self.given[kind] += 1
        response = self._answer(kind, body.decode(), radar=radar)
        response.headers["x-echo"] = json.dumps(self.said)
        response.headers["set-cookie"] = f"who={json.dumps(self.said)}"
        return response

    def _next(self, body: bytes, *, radar: bool) -> str:
        customers = max(len(load) for load in json.loads(body).values() if isinstance(load, list))
        if self.answers is TROUBLE and customers in SMALL:
            return SMALL[customers]
        self._calls[radar] += 1
        return self.answers[self._calls[radar] % len(self.answers)]

    def _answer(self, kind: str, body: str, *, radar: bool) -> Response:
        told = f"{self.said} {body}"
        code: dict[str, object] = {"code": "10001"} if radar else {"error": {"code": 13028}}
        away = {"location": f"https://{body[:50]!a}.example.com/"}
        answers: dict[str, Callable[[], Response]] = {
            "refused": lambda: JSONResponse({**code, "message": told, "errors": [told]}, 400),
            "unknown_code": lambda: JSONResponse({"code": "19999", "message": told}, 422),
            "page_500": lambda: Response(f"<h1>{told}</h1>", 500, media_type="text/html"),
            "no_json": lambda: Response(told, 200, media_type="text/plain"),
            "moved": lambda: Response(told, 302, away),
            "credentials": lambda: JSONResponse({"code": 13001, "message": told}, 401),
            "campaign": lambda: JSONResponse({"code": 13005, "message": told}, 400),
            "throttled": lambda: Response(told, 429, {"retry-after": json.dumps(self.said)}),
            "success": lambda: JSONResponse({"code": "00000", "data": "1", "message": told}),
        }
        return answers[kind]()


@contextmanager
def serving(vendor: EchoingVendor, port: int) -> Iterator[None]:
    """Serve on this port of the loopback interface, in a thread."""
    route = Route("/{path:path}", vendor.answer, methods=["POST"])
    config = uvicorn.Config(
        Starlette(routes=[route]), log_config=None, access_log=False, lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", port))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(10)
