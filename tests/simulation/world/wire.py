"""The real `Calls` of a simulated process, on a network that loses, delays and resets.

A call runs in a task of its process, so that it freezes and dies with it; what is on the wire by
then reaches the vendor all the same, or not.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty
from typing import Any

from consumer.config.sections import Campaign
from consumer.http.calls import Account, Calls, Event
from consumer.http.client import Exchange
from consumer.lane.state.commands import Batch, Login
from consumer.lane.state.settings import LATE_ARRIVAL_GRACE
from consumer.records.call import Answer, Call
from consumer.vendors.protocol import Vendor
from tests.simulation.kafka.scheduler import Scheduler, Task
from tests.simulation.world.answer_bytes import CUT, AccountBytes, AnswerBytes
from tests.simulation.world.doubles import ProcessClock, Story
from tests.simulation.world.vendor import Truth, VendorDouble


class SimInbox:
    """Where a lane's task finds its answers; `put` wakes it, and `nudge`s its consumer's poll."""

    def __init__(self, scheduler: Scheduler, owner: Task | None) -> None:
        self._scheduler = scheduler
        self._owner = owner
        self._events: deque[Event] = deque()
        self.nudge: Callable[[], None] = _nobody

    def put(self, event: Event) -> None:
        """An answer came."""
        self._events.append(event)
        if self._owner is not None:
            self._scheduler.wake(self._owner)
        self.nudge()

    def get(self, block: bool = True, timeout: float | None = None) -> Event:
        """The next one. Raises queue.Empty when none came in time."""
        if not self._events and block and timeout:
            self._scheduler.wait(self._scheduler.now + timeout)
        if not self._events:
            raise Empty
        return self._events.popleft()


@dataclass(slots=True)
class Wire:
    """What the calls of all processes share: the vendors, the network's mood, the history."""

    scheduler: Scheduler
    rng: random.Random
    vendors: Mapping[str, VendorDouble]
    truth: Truth
    story: Story
    slow: float
    """Spread of the latency (lognormal's sigma)."""
    left: Callable[[str, Batch], None]
    """Told the process and the batch when a call's first byte leaves."""
    calm: bool = False
    """Nothing is lost and nothing refused on the way."""
    bytes: AnswerBytes | None = None
    """Set where answers come as bytes, and the real client reads them."""
    sent: list[tuple[str, Batch]] = field(default_factory=list)


class SimCalls(Calls):
    """The runtime's own `Calls`, driven in tasks instead of asyncio."""

    def __init__(
        self,
        wire: Wire,
        process: str,
        clock: ProcessClock,
        campaigns: Mapping[str, Campaign],
        vendors: Mapping[str, tuple[str, Vendor, float]],
    ) -> None:
        """`vendors`: account → (lane, module, call timeout)."""
        self._wire = wire
        self._process = process
        self._clock = clock
        self.batch: Batch | None = None
        accounts = {
            name: Account(module, self._client(lane, timeout, clock))  # type: ignore[arg-type]
            for name, (lane, module, timeout) in vendors.items()
        }
        super().__init__(accounts, campaigns, None, clock)  # type: ignore[arg-type]

    def _client(self, lane: str, timeout: float, clock: ProcessClock) -> _Client:
        answers = self._wire.bytes
        return _Client(
            self._wire, self, lane, timeout, clock, answers.client() if answers else None
        )

    @property
    def process(self) -> str:
        """The process whose calls these are."""
        return self._process

    def inbox(self) -> SimInbox:
        """For the task that takes a lane over."""
        return SimInbox(self._wire.scheduler, self._wire.scheduler.current)

    def send(self, batch: Batch, events: Any, fresh_from: float | None = None) -> Future[None]:
        """See `Calls`."""
        self._wire.sent.append((self._process, batch))
        self._wire.scheduler.point("send")

        def run() -> None:
            self._wire.scheduler.point("call.begins")
            self.batch = batch
            _drive(self._send(batch, events, fresh_from))
            self._clock.release()

        self._clock.hold()
        self._wire.scheduler.spawn(f"call {batch.id}", self._process, run)
        return Future()

    def login(self, login: Login, events: Any, fresh_from: float | None = None) -> Future[None]:
        """See `Calls`."""
        self._wire.scheduler.point("login")

        def run() -> None:
            self._wire.scheduler.point("call.begins")
            self.batch = None
            _drive(self._login(login, events, fresh_from))
            self._clock.release()

        self._clock.hold()
        self._wire.scheduler.spawn(f"login {login.vendor}", self._process, run)
        return Future()


def _nobody() -> None:
    """Nothing polls yet."""


def _drive(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits for asyncio: its awaits block this task instead."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("a call waited for something that the simulation does not know")


@dataclass(slots=True)
class _Client:
    """In the place of `VendorClient`: the same contract about the first byte and freshness."""

    wire: Wire
    calls: SimCalls
    lane: str
    timeout: float
    clock: ProcessClock
    bytes: AccountBytes | None = None

    async def exchange(self, call: Call, *, fresh_until: float) -> Exchange:
        """One request; see `VendorClient.exchange`."""
        wire, scheduler, batch = self.wire, self.wire.scheduler, self.calls.batch
        deadline = scheduler.now + self.timeout
        fate = 1.0 if wire.calm else wire.rng.random()
        if fate < 0.3:  # a new connection has to be made
            scheduler.sleep(wire.rng.uniform(0.0, 1.0))
        scheduler.point("call.leaves")
        if self.clock.now() > fresh_until:
            return Exchange(self.clock.now(), failure="stale")
        if fate < 0.03:
            return Exchange(self.clock.now(), failure="connect_error")
        sent_at = self.clock.now()
        if batch is not None:
            wire.left(self.calls.process, batch)
        request = _Request(self, batch, call.headers.get("Authorization", ""), scheduler.current)
        request.leave()
        scheduler.point("call.left")
        while request.waiting and scheduler.now < deadline:
            scheduler.wait(deadline)
        scheduler.point("call.answered")
        if request.answer is not None:
            return self._read(call, batch, request.answer, sent_at)
        request.waiting = False
        failure = "reset" if scheduler.now < deadline else "timeout"
        return self._unanswered(batch, sent_at, failure)

    def _unanswered(self, batch: Batch | None, sent_at: float, failure: str) -> Exchange:
        if batch is not None:
            self.wire.truth.unclear.add(batch.id)
        return Exchange(self.clock.now(), sent_at, failure=failure)

    def _read(self, call: Call, batch: Batch | None, answer: Answer, sent_at: float) -> Exchange:
        """The answer as it came, or as the real client reads it from its bytes."""
        if self.bytes is None:
            return Exchange(self.clock.now(), sent_at, answer)
        way, found = self.bytes.answered(call, answer)
        self.wire.story.tell(self.lane, "answers", way=way, failure=found.failure)
        if way == CUT:
            return self._unanswered(batch, sent_at, found.failure or "read")
        return Exchange(self.clock.now(), sent_at, found.answer, found.failure)


@dataclass(slots=True)
class _Request:
    """Bytes on the wire: their fate no longer depends on the process that sent them."""

    client: _Client
    batch: Batch | None
    token: str
    task: Task | None
    waiting: bool = True
    answer: Answer | None = None

    def leave(self) -> None:
        """Draw what becomes of it. It arrives by timeout plus grace, or never."""
        wire, rng = self.client.wire, self.client.wire.rng
        latest = self.client.timeout + LATE_ARRIVAL_GRACE
        latency = min(rng.lognormvariate(-1.0, wire.slow), 1.0 if wire.calm else latest)
        on_the_way = latency * rng.random()
        now, fate = wire.scheduler.now, 1.0 if wire.calm else rng.random()
        if fate < 0.02:  # lost on the way there
            if rng.random() < 0.5:
                wire.scheduler.at(now + on_the_way, self._reset)
            return
        lost = fate < 0.05
        wire.scheduler.at(now + on_the_way, lambda: self._arrive(now + latency, lost=lost))

    def _arrive(self, back_at: float, *, lost: bool) -> None:
        wire, now = self.client.wire, self.client.wire.scheduler.now
        vendor = wire.vendors[self.client.lane]
        if self.batch is None:
            answer = vendor.logged_in(now)
        else:
            answer = vendor.asked(self.batch, self.token, now)
        wire.story.tell(
            self.client.lane, "asked", batch=self.batch and self.batch.id, answer=answer.status
        )
        if not lost:
            wire.scheduler.at(back_at, lambda: self._back(answer))
        elif wire.rng.random() < 0.5:
            wire.scheduler.at(back_at, self._reset)

    def _back(self, answer: Answer) -> None:
        if self.waiting:
            self.answer = answer
            self._reset()

    def _reset(self) -> None:
        self.waiting = False
        if self.task is not None:
            self.client.wire.scheduler.wake(self.task)
