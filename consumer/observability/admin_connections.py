"""Connections of the admin server, bounded in number and time.

    accepted ──► waits for a request ──► is answered ──► waits for the next
                  HEAD_S, then closed     ANSWER_S        HEAD_S

uvicorn's own timer begins only with the first answer. Half a request was kept open for ever; when
such connections used up the process's file descriptors, the probes failed and the process was
killed. At the bound the connection that has waited longest is evicted, so a probe is answered
however many wait. A connection that is being answered is never evicted; if all are, the new one is
closed.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS: Final = 100
"""Connections open at once: probes, Prometheus, and viewers of the page."""
BACKLOG: Final = 64
"""Connections accepted in one go; more wait in the system's listen queue."""
HEAD_BYTES: Final = 16_384
"""Bytes of a request's head, at most."""
HEAD_S = 5.0
"""Seconds until a request must have arrived completely."""
ANSWER_S = 30.0
"""Seconds until its answer must have been read by the client."""


class BoundedProtocol(H11Protocol):
    """uvicorn's connection with a deadline for each state."""

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
        """Whether an answer is being made, or has not been sent completely."""
        made = self.cycle is None or self.cycle.response_complete
        return not made or self.transport.get_write_buffer_size() > 0

    def _follow(self, *, changed: bool = False) -> None:
        """Set the deadline of the present state, once: trickling bytes do not move it."""
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
