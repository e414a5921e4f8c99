"""Runs the double under uvicorn: in the caller's loop (`serve`) or in a thread (`SandboxServer`).

The listening socket is made first. So a taken port raises `OSError` where it can be handled, and
port 0 is resolved to a real port before anything is served.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Generator
from types import TracebackType

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
    """Reports when it serves, cuts hanging calls when it stops, can leave signals alone."""

    def __init__(self, app: Starlette, *, started: Callable[[], None], signals: bool) -> None:
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
        self._tell, self._signals = started, signals

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        with super().capture_signals() if self._signals else contextlib.nullcontext():
            yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell()

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


async def serve(
    settings: SandboxSettings,
    started: asyncio.Event | None = None,
    *,
    listener: socket.socket | None = None,
    signals: bool = True,
) -> None:
    """Serve until cancelled, or until SIGINT or SIGTERM.

    `listener`: a socket of `listen`, for callers that need the port; it is closed at the end.
    `signals=False` leaves the process's signal handlers alone.
    """
    tell = started.set if started is not None else _nothing
    server = _Server(create_app(settings), started=tell, signals=signals)
    sockets = [listener if listener is not None else listen(settings)]
    serving = asyncio.ensure_future(server.serve(sockets))
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
            msg = "the sandbox was never started"
            raise RuntimeError(msg)
        double: Double = self._server.config.app.state.double  # type: ignore[union-attr]  # it is our Starlette
        return double

    def start(self) -> str:
        """Start; return the base URL. Raises `OSError` for a taken port, else `RuntimeError`."""
        if self._thread is not None:
            msg = "the sandbox is running already"
            raise RuntimeError(msg)
        listener, ready = listen(self._settings), threading.Event()
        self.base_url = url = url_of(listener)
        server = _Server(create_app(self._settings), started=ready.set, signals=False)
        self._thread = threading.Thread(
            target=server.run, args=([listener],), name="sandbox", daemon=True
        )
        self._server = server
        self._thread.start()
        if not ready.wait(_START_SECONDS):
            self.stop()
            msg = "the sandbox did not start in time"
            raise RuntimeError(msg)
        return url

    def stop(self) -> None:
        """Stop serving and wait for the thread; does nothing if it is not running."""
        if self._thread is not None and self._server is not None:
            self._server.should_exit = True
            self._thread.join()
        self._thread = self.base_url = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _nothing() -> None:
    """Do nothing: the default callback of `serve`."""
