"""The admin server: the status page, `/metrics`, `/livez`, `/readyz`. It is read-only.

Its answers come from an `AdminState`; `admin_access` says which requests get one.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from importlib import resources

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from consumer.config.admin_section import Admin
from consumer.errors import DispatcherError
from consumer.observability.admin_access import TokenGuard, server_context
from consumer.observability.admin_connections import BACKLOG, HEAD_BYTES, BoundedProtocol
from consumer.observability.admin_state import AdminState, NoAnswerError

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content security policy: no inline code, no requests to other hosts."""

SECURITY_HEADERS = [
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", POLICY),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
]
"""Headers added by the server, so that its error responses bear them as well."""

PAGE = {
    "/": ("index.html", "text/html"),
    "/status/page.css": ("page.css", "text/css"),
    "/status/page.js": ("page.js", "text/javascript"),
    "/status/parts.js": ("parts.js", "text/javascript"),
    "/status/lane.js": ("lane.js", "text/javascript"),
    "/status/filter.js": ("filter.js", "text/javascript"),
    "/status/words.js": ("words.js", "text/javascript"),
    "/status/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""Path → file of the status page and media type. Paths in the files are relative, for proxies with
a prefix."""

GRACE_S = 2
"""Seconds that requests in progress get at shutdown."""


def admin_app(state: AdminState, *, page: bool = True, metrics: bool = True) -> Starlette:
    """Return an app with GET and HEAD of `/livez` and `/readyz`, with `page` of `/` (the status
    page) and `/status.json`, and with `metrics` of `/metrics`.

    Probes answer 200 or 503; so do the others if some process of the program does not answer.
    """

    async def scrape(request: Request) -> Response:
        try:
            body, content_type = await state.scrape(request.headers.get("accept", ""))
        except NoAnswerError as error:
            return _verdict([str(error)])
        return Response(body, headers={"Content-Type": content_type})

    async def livez(_: Request) -> Response:
        return _verdict(await state.alive())

    async def readyz(_: Request) -> Response:
        return _verdict(await state.ready())

    async def status_json(_: Request) -> Response:
        try:
            return Response(await state.status(), media_type="application/json")
        except NoAnswerError as error:
            return _verdict([str(error)])

    routes = [Route("/livez", livez), Route("/readyz", readyz)]
    if metrics:
        routes.append(Route("/metrics", scrape))
    if page:
        routes += [Route("/status.json", status_json), *_page()]
    return Starlette(routes=routes)


async def run_admin(where: Admin, state: AdminState, *, started: Callable[[int], None]) -> None:
    """Serve what the config says until cancelled; metrics at a port of their own, if it has one.
    Raises `DispatcherError` for an address that cannot be bound, and an unusable certificate."""
    tls = None if where.tls is None else server_context(where.tls)
    together = where.metrics and where.metrics_port is None
    app: ASGIApp = admin_app(state, page=where.page, metrics=together)
    if where.token is not None:
        app = TokenGuard(app, where.token.get_secret_value())
    serving = [serve_admin(app, where.host, where.port, started=started, tls=tls)]
    if where.metrics_port is not None:
        apart = admin_app(state, page=False)
        port = where.metrics_port
        serving.append(serve_admin(apart, where.host, port, started=lambda _: None, tls=tls))
    tasks = [asyncio.ensure_future(server) for server in serving]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _page() -> Iterator[Route]:
    folder = resources.files("consumer.observability.status").joinpath("page")
    for path, (name, media_type) in PAGE.items():
        response = Response(folder.joinpath(name).read_bytes(), media_type=media_type)
        yield Route(path, response, methods=["GET"])


def _verdict(problems: list[str]) -> Response:
    if problems:
        return JSONResponse({"problems": problems}, status_code=503)
    return PlainTextResponse("ok")


async def serve_admin(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    started: Callable[[int], None],
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve until cancelled, in the caller's event loop; signals stay the caller's.

    `started` receives the port once connections are accepted (port 0 lets the system choose one).
    On cancellation requests in progress get two seconds. Raises `DispatcherError` if the address
    cannot be bound.
    """
    listener = _bind(host, port)
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        backlog=BACKLOG,
        h11_max_incomplete_event_size=HEAD_BYTES,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,  # the program configures logging; a probe every second is not logged
        access_log=False,
        proxy_headers=False,
        server_header=False,
        headers=SECURITY_HEADERS,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config, started, tls)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="admin")
    # uvicorn closes its listener only on `should_exit`, not on cancellation.
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """uvicorn inside the program's own event loop: no signal handlers, and a callback once it
    listens."""

    def __init__(
        self, config: uvicorn.Config, started: Callable[[int], None], tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(config)
        self._tell, self._tls = started, tls

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.config.ssl = self._tls  # loaded here: uvicorn would read files, and say less
        await super().startup(sockets)
        if sockets:
            self._tell(sockets[0].getsockname()[1])


def _bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; uvicorn's own binding ends the process if it fails.

    `::` takes IPv4 as well, if the system can.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    dual = host == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((host, port), family=family, dualstack_ipv6=dual)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"admin port {port} is in use on {host}: stop what uses it or set another one"
        else:
            why = (error.strerror or "unknown").partition(" (")[0]  # the address follows
            message = f"admin server cannot listen on {host}, port {port}: {why}"
        raise DispatcherError(message) from error
