"""A made-up dispatcher's admin server, the real one, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from consumer.observability.admin_server import admin_app, serve_admin
from consumer.observability.admin_state import ProcessState
from tests.e2e.feed import MadeUp

PATIENCE = 60.0
"""Seconds to start, and to end."""


@contextmanager
def served(made: MadeUp, port: int = 0) -> Iterator[str]:
    """Its URL; port 0 is any free one."""
    loop = asyncio.new_event_loop()
    up: list[int] = []
    ready = threading.Event()

    def started(number: int) -> None:
        up.append(number)
        ready.set()

    app = admin_app(ProcessState(made.metrics, made.health, made.report.json))
    serving = loop.create_task(serve_admin(app, "127.0.0.1", port, started=started))

    def run() -> None:
        loop.run_until_complete(asyncio.gather(serving, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_default_executor())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(PATIENCE), "the admin server did not start"
    try:
        yield f"http://127.0.0.1:{up[0]}/"
    finally:
        loop.call_soon_threadsafe(serving.cancel)
        thread.join(PATIENCE)
        loop.close()
