"""Runs the double under uvicorn: in the caller's loop (`serve`) or in a thread (`SandboxServer`).

The listening socket is made first. So a taken port raises `OSError` where it can be handled, and
port 0 is resolved to a real port before anything is served.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from consumer.sandbox.app import create_app
from consumer.sandbox.double import Double
from consumer.sandbox.faults import TRANSPORT
from consumer.sandbox.settings import SandboxSettings

_START_SECONDS = 10.0
_GRACE_SECONDS = 5  # for calls within their latency; hanging ones are cut at once


class _Protocol(H11Protocol):
    """Hands each connection's transport to its requests: a fault may have to cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        self.app_state = {**self.app_state, TRANSPORT: transport}
        super().connection_made(transport)


class _Server(uvicorn.Server):
    """Calls `started` when it serves, and cuts hanging calls when it stops."""

    def __init__(self, app: Starlette, started: Callable[[], None] | None = None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                loop="asyncio",
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                # Longer than any client keeps an idle connection. Otherwise the server may close it
                # under a request in flight, an unwanted fault.
                timeout_keep_alive=900,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        self._double: Double = app.state.double
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._started is not None:
            self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for transport in list(self._double.hung):
            transport.abort()
        await super().shutdown(sockets)
        self._double.journal.close()


def listen(settings: SandboxSettings) -> socket.socket:
    """Open the listening socket; raises `OSError` if host or port is unavailable."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    return socket.create_server((settings.host, settings.port), family=family, backlog=1024)


def url_of(listener: socket.socket) -> str:
    """Return `http://host:port` of a listening socket, without a slash at its end."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(settings: SandboxSettings, listener: socket.socket) -> None:
    """Serve at a socket of `listen` until cancelled, or until SIGINT or SIGTERM."""
    server = _Server(create_app(settings))
    serving = asyncio.ensure_future(server.serve([listener]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise


class SandboxServer:
    """The double in a thread of its own.

            with SandboxServer(SandboxSettings()) as base_url:
                ...

    `base_url` is None while it is not running. `double.journal` may be read from any thread after
    the calls of interest were answered; while calls are in flight query `/_sandbox/summary`.
    """

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._thread: threading.Thread | None = None
        self._server: _Server | None = None
        self.base_url: str | None = None

    @property
    def double(self) -> Double:
        """The running double. Raises `RuntimeError` before `start`."""
        if self._server is None:
            raise RuntimeError("the sandbox was never started")
        double: Double = self._server.config.app.state.double  # type: ignore[union-attr]  # it is our Starlette
        return double

    def start(self) -> str:
        """Start; return the base URL. Raises `OSError` for a taken port, else `RuntimeError`."""
        if self._thread is not None:
            raise RuntimeError("the sandbox is running already")
        listener, ready = listen(self._settings), threading.Event()
        self.base_url = url = url_of(listener)
        self._server = _Server(create_app(self._settings), ready.set)
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="sandbox", daemon=True
        )
        self._thread.start()
        if not ready.wait(_START_SECONDS):
            self.stop()
            raise RuntimeError("the sandbox did not start in time")
        return url

    def stop(self) -> None:
        """Stop serving and wait for the thread; does nothing if it is not running."""
        if self._thread is not None and self._server is not None:
            self._server.should_exit = True
            self._thread.join()
        self._thread = self.base_url = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()
