"""Connections of the admin server, bounded in number and time.

    accepted ──► waits for a request ──► is answered ──► waits for the next
                  HEAD_S, then closed     ANSWER_S        HEAD_S

uvicorn's own timer begins with the first answer only: half a request was held for ever, and with
as many as the process may have files the probes failed, and the process was killed for it. At the
bound the connection that has waited longest gives way, so that a probe is answered however many
wait. A connection that is being answered gives way to none; a new one is then closed.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS: Final = 100
"""Open at once: probes, Prometheus, and people who look at the page."""
BACKLOG: Final = 64
"""Taken from the system in one go, beyond which they wait there."""
HEAD_BYTES: Final = 16_384
"""Of a request's head, at most."""
HEAD_S = 5.0
"""Seconds until a request must have come as a whole."""
ANSWER_S = 30.0
"""Seconds until its answer must have been taken."""


class BoundedProtocol(H11Protocol):
    """uvicorn's connection with a deadline for each thing that it waits for."""

    _deadline: asyncio.TimerHandle | None = None
    _was_busy = False
    _since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._since = self.loop.time()
        self._follow(changed=True)
        if len(self.connections) > MAX_CONNECTIONS:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._since = self.loop.time()
        self._follow(changed=True)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    @property
    def busy(self) -> bool:
        """Whether an answer is being made, or was not taken yet."""
        made = self.cycle is None or self.cycle.response_complete
        return not made or self.transport.get_write_buffer_size() > 0

    def _follow(self, *, changed: bool = False) -> None:
        """Set the deadline of what it waits for, once: bytes that trickle in move none."""
        busy = self.busy
        if (changed or busy != self._was_busy) and not self.transport.is_closing():
            if self._deadline is not None:
                self._deadline.cancel()
            seconds = ANSWER_S if busy else HEAD_S
            self._deadline = self.loop.call_later(seconds, self.transport.abort)
        self._was_busy = busy

    def _make_room(self) -> None:
        open_ = [each for each in self.connections if isinstance(each, BoundedProtocol)]
        waiting = [each for each in open_ if each is not self and not each.busy]
        longest = min(waiting, key=lambda each: each._since, default=self)  # noqa: SLF001 - of this class
        self.connections.discard(longest)
        longest.transport.abort()
