"""A lane that calls for real: the machine, its calls and its report, over HTTP to the sandbox.

Only Kafka is left out: what would be committed is taken as committed. Time is the wall's, moved
ahead by `skip`, so that a backoff of an hour takes no time.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from consumer.clock import Clock
from consumer.config.models import Config
from consumer.http.calls import Answered, Calls, Event
from consumer.lane.lane import Lane
from consumer.lane.state.commands import Command, Commit, ContactsAnswered, Login, Send
from consumer.lane.state.delay_steps import DelayedInvitation
from consumer.lane.state.pending import PendingInvitation
from consumer.observability.metrics.metrics import Metrics
from consumer.records.invitation import Invitation
from consumer.records.result import Result
from consumer.runtime.lane.lane_report import LaneReport
from consumer.runtime.lane.lane_traces import LaneTraces
from consumer.wiring.build import build_accounts, build_vendors, lane_settings
from tests.support.lanes import results

PATIENCE = 60.0


@dataclass
class Caller:
    """One lane of a config. `settle` runs it until nothing is under way and nothing is due."""

    config: Config
    lane: Lane
    calls: Calls
    metrics: Metrics
    report: LaneReport
    ahead: float = 0.0
    results: list[Result] = field(default_factory=list)
    put_off: list[DelayedInvitation] = field(default_factory=list)
    made: int = 0
    _offset: int = 0
    _out: int = 0

    def __post_init__(self) -> None:
        self._events = self.calls.inbox()

    @property
    def now(self) -> float:
        """The wall's time and what was skipped."""
        return time.time() + self.ahead

    def skip(self, seconds: float) -> None:
        """That much later."""
        self.ahead += seconds

    def invite(self, invitations: Sequence[Invitation]) -> None:
        """They arrive at the lane."""
        for invitation in invitations:
            self.lane.arrived(PendingInvitation.of(self._offset, invitation, self.now), self.now)
            self._offset += 1

    def read(self, value: bytes) -> None:
        """A record of the lane's topic arrives."""
        self.lane.arrived(PendingInvitation.read(self._offset, value, self.now), self.now)
        self._offset += 1

    def settle(self) -> None:
        """Until nothing is under way, and nothing that is due now is left to do."""
        deadline = time.monotonic() + PATIENCE
        self._tick()
        while self._out:
            self._take_in(self._events.get(timeout=deadline - time.monotonic()))
            self._tick()

    def sample(self, name: str, **labels: str) -> float | None:
        """A metric's value."""
        return self.metrics.registry.get_sample_value(f"survey_dispatcher_{name}", labels)

    def _take_in(self, event: Event) -> None:
        self._out -= 1
        assert not isinstance(event, ContactsAnswered)
        if isinstance(event, Answered):
            batch = event.batch
            self.lane.answered(batch.id, event.outcome, sent_at=event.sent_at, at=event.at)
            self.report.answered(event, 0.0)
            return
        if event.expires_at is not None:
            self.lane.logged_in(event.vendor, event.expires_at, event.at)
        else:
            self.lane.login_failed(event.vendor, event.outcome, event.at)
        self.report.login(event)

    def _tick(self) -> None:
        for command in self.lane.tick(self.now):
            self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        match command:
            case Commit():
                self.results += results(command.results)
                self.put_off += command.delayed
                for leaving in self.lane.committed():
                    self._carry_out(leaving)
            case Send(batch):
                self._out += 1
                self.made += 1
                self.report.sealed(batch)
                self.calls.send(batch, self._events)
            case Login():
                self._out += 1
                self.calls.login(command, self._events)


@contextmanager
def calling(config: Config, lane: str) -> Iterator[Caller]:
    """A caller, and an event loop for its HTTP in a thread."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    metrics = Metrics(campaigns=list(config.campaigns))
    metrics.lane(lane).start()
    machine = Lane(lane_settings(config, lane), random.Random(1), time.time(), epoch=1)
    box: dict[str, Any] = {}

    def now() -> float:
        return box["caller"].now if box else 0.0

    accounts = build_accounts(config, build_vendors(config), now)
    calls = Calls(accounts, config.campaigns, loop, Clock(now, now))
    caller = box["caller"] = Caller(
        config,
        machine,
        calls,
        metrics,
        LaneReport(machine, metrics.lane(lane), LaneTraces(None, lane)),
    )
    try:
        yield caller
    finally:
        closing = asyncio.run_coroutine_threadsafe(_close(calls), loop)
        closing.result(timeout=PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=PATIENCE)
        loop.close()


async def _close(calls: Calls) -> None:
    await calls.ended()
    for account in calls.accounts.values():
        await account.client.close()
