"""A TCP proxy of our own between a dispatcher and Kafka: it cuts, slows, holds, and sets traps.

A broker sends its clients to the address that it advertises, so it must advertise the proxy's:
`listeners` gives the settings of a broker with one such address for each proxy. Requests are read
as Kafka frames them, so a trap can catch one kind of request: hold it back, or let it through and
swallow its answer. The proxy has a thread and an event loop of its own.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tests.support.kafka import free_ports

HOST = "127.0.0.1"
CHUNK = 64 * 1024
PRODUCE, INIT_PRODUCER_ID, END_TXN = 0, 22, 26
"""Keys of the requests that traps are set for, as Kafka's protocol numbers them."""


def listeners(proxies: Sequence[Proxy]) -> dict[str, str]:
    """Settings of a broker that has, beside its own address, a listener behind each proxy."""
    behind = {f"PROXY{number}": proxy for number, proxy in enumerate(proxies)}
    names = ["PLAINTEXT", "CONTROLLER", *behind]
    own = [f"PLAINTEXT://{HOST}:$port", f"CONTROLLER://{HOST}:$controller_port"]
    listen = [f"{name}://{HOST}:{proxy.target}" for name, proxy in behind.items()]
    shown = [f"{name}://{HOST}:{proxy.port}" for name, proxy in behind.items()]
    return {
        "listeners": ",".join(own + listen),
        "advertised.listeners": ",".join(own[:1] + shown),
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in names),
    }


@dataclass(eq=False, slots=True)
class Trap:
    """Catches the first request of kind `api` whose bytes contain `part`; `caught` tells when.

    With `mute` it goes through, and nothing comes back on its connection any more.
    """

    api: int
    part: bytes
    mute: bool
    caught: threading.Event = field(default_factory=threading.Event)
    freed: asyncio.Event = field(default_factory=asyncio.Event)
    link: _Link | None = None

    def wants(self, frame: bytes) -> bool:
        """Whether this request is the one."""
        key = int.from_bytes(frame[:2])
        return not self.caught.is_set() and key == self.api and self.part in frame


@dataclass(eq=False, slots=True)
class _Link:
    """One client's connection and the one that was made for it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    muted: bool = False

    def abort(self) -> None:
        for writer in (self.client, self.server):
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
                )
            writer.transport.abort()


class Proxy:
    """From `port` to `target`, both ours and on the loopback interface. A context manager."""

    def __init__(self) -> None:
        self.port, self.target = free_ports(2)
        self._delay = 0.0
        self._refusing = False
        self._links: set[_Link] = set()
        self._traps: list[Trap] = []
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    @property
    def bootstrap(self) -> str:
        """The address for a dispatcher's config."""
        return f"{HOST}:{self.port}"

    def cut(self) -> None:
        """Break all connections, and every new one, until `mend`."""
        self._do(lambda: self._cut(refusing=True))

    def hold(self) -> None:
        """Deliver nothing in either direction until `mend`; connections stay open."""
        self._do(self._open.clear)

    def slow(self, seconds: float) -> None:
        """Whatever passes takes so much longer, until `mend`."""
        self._do(lambda: setattr(self, "_delay", seconds))

    def mend(self) -> None:
        """As at the start; what was held is delivered. Traps stay."""
        self._do(self._mend)

    def trap(self, api: int, part: bytes = b"", *, mute: bool = False) -> Trap:
        """Set a trap for one request; see `Trap`."""
        trap = Trap(api, part, mute)
        self._do(lambda: self._traps.append(trap))
        return trap

    def free(self, trap: Trap) -> None:
        """Deliver what a trap held; of one that muted, break the connection."""

        def undo() -> None:
            trap.freed.set()
            if trap.mute and trap.link is not None:
                trap.link.abort()

        self._do(undo)

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._do(lambda: None)
        return self

    def __exit__(self, *_: object) -> None:
        self._do(lambda: self._cut(refusing=True))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    # -- in the proxy's own thread --------------------------------------------------------------

    def _do(self, step: Callable[[], object]) -> None:
        done = threading.Event()

        def run() -> None:
            step()
            done.set()

        self._loop.call_soon_threadsafe(run)
        if not done.wait(60):
            raise TimeoutError("the proxy's thread does not answer")

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        listening = self._loop.run_until_complete(
            asyncio.start_server(self._serve, HOST, self.port)
        )
        self._loop.run_forever()
        listening.close()
        rest = asyncio.all_tasks(self._loop)
        for task in rest:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
        self._loop.close()

    def _cut(self, *, refusing: bool) -> None:
        self._refusing = refusing
        for link in self._links:
            link.abort()

    def _mend(self) -> None:
        self._refusing, self._delay = False, 0.0
        self._open.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, server = await asyncio.open_connection(HOST, self.target)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, server)
        if self._refusing:
            link.abort()
            return
        self._links.add(link)
        pumps = [
            asyncio.ensure_future(each)
            for each in (self._requests(reader, link), self._answers(answers, link))
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._links.discard(link)
            link.abort()

    async def _requests(self, reader: asyncio.StreamReader, link: _Link) -> None:
        while True:
            size = await reader.readexactly(4)
            frame = await reader.readexactly(int.from_bytes(size))
            for trap in [each for each in self._traps if each.wants(frame)]:
                trap.link, link.muted = link, trap.mute
                trap.caught.set()
                if not trap.mute:
                    await trap.freed.wait()
            await self._pass(link.server, size + frame)

    async def _answers(self, reader: asyncio.StreamReader, link: _Link) -> None:
        while chunk := await reader.read(CHUNK):
            if not link.muted:
                await self._pass(link.client, chunk)

    async def _pass(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        await self._open.wait()
        if self._delay:
            await asyncio.sleep(self._delay)
        writer.write(data)
        await writer.drain()
