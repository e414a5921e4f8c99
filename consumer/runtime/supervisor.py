"""Supervisor: starts and stops the stages of one process; hot reload of their config.

    lanes take the new config ─► router takes it ─► removed lanes drain ─► old pools close

In this order this process's router sends no invitation to a lane that does not know its campaign
yet, and none to a removed lane. Each stage takes its config itself, between two turns of its loop.
Another replica may reload in another order; then the delay topics keep an invitation until its
lane knows the campaign.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from consumer.config.changes import Changes
from consumer.config.models import Config
from consumer.contacts.book import ContactBook
from consumer.http.calls import Calls, RetiredPools
from consumer.lane.state.settings import LaneSettings
from consumer.runtime.contacts.feeds import FeedStage
from consumer.runtime.contacts.service import ContactService
from consumer.runtime.contacts.view import ContactView
from consumer.runtime.delay.delay_loop import DelayStage
from consumer.runtime.lane.lane_loop import LaneStage
from consumer.runtime.options import Options
from consumer.runtime.router.answered_events import AnsweredEvents
from consumer.runtime.router.router_loop import RouterStage
from consumer.runtime.stage import StageServices
from consumer.wiring.build import (
    LaneConfig,
    RouterConfig,
    build_accounts,
    build_vendors,
    lane_settings,
    router_rules,
)
from consumer.wiring.contacts import ContactConfig, route_contacts
from consumer.wiring.feeds import build_feeds

Stage = RouterStage | DelayStage | LaneStage | ContactView | FeedStage

PATIENCE = 5.0
"""Seconds to wait until the stages have taken a new config. A stage may block in a Kafka call for
much longer, and takes the config afterwards."""

LOOK_EVERY = 0.02

Life = Callable[[str, Callable[[], None]], None]
"""Function that a stage's thread runs, with the stage's name and its sessions. Raises nothing."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """A config and the parts built from it, which are not in use yet."""

    config: Config
    calls: Calls
    router: RouterConfig
    book: ContactBook | None = None

    def contacts_of(self, settings: LaneSettings) -> ContactConfig | None:
        """Return how a lane asks the contact book; None without a contact store."""
        if self.book is None:
            return None
        return ContactConfig(self.book, settings.campaigns, route_contacts(self.config))


@dataclass(frozen=True, slots=True)
class RunningLane:
    """A lane's stage, and the task of the thread that runs it."""

    loop: LaneStage
    life: asyncio.Task[None]

    def uses(self, calls: Calls) -> bool:
        """Whether the lane may still make calls through this object."""
        return self.loop.calls is calls and not self.life.done()


class StageThreads:
    """Starts threads and waits for their ends. Only the event loop calls its methods."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, sessions: Callable[[], None]) -> asyncio.Task[None]:
        """Run a stage in its own thread. Return a task that is done when the thread has ended.

        The thread waits for an earlier stage of this name, such as a lane that was removed from
        the config and added again.
        """
        former = self._tasks.get(name)
        self._tasks[name] = asyncio.create_task(self._run(name, sessions, former))
        return self._tasks[name]

    async def ended_threads(self) -> None:
        """Wait until every thread has ended, including threads started meanwhile."""
        while running := [task for task in self._tasks.values() if not task.done()]:
            await asyncio.wait(running)

    async def _run(
        self, name: str, sessions: Callable[[], None], former: asyncio.Task[None] | None
    ) -> None:
        if former is not None:
            await former
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def work() -> None:
            try:
                self._life(name, sessions)
            finally:
                loop.call_soon_threadsafe(ended.set)

        thread = threading.Thread(target=work, name=name)
        thread.start()
        await ended.wait()
        thread.join()  # returns at once


class Supervisor:
    """Starts, reconfigures and ends the stages of this process.

    Only the event loop calls its methods, except `plan`.
    """

    def __init__(
        self,
        stage: StageServices,
        options: Options,
        life: Life,
        loop: asyncio.AbstractEventLoop,
        contacts: ContactService | None = None,
    ) -> None:
        self._services = stage
        self._contacts = contacts
        self._options = options
        self._loop = loop
        self._threads = StageThreads(life)
        self._pools = RetiredPools()
        self._lanes: dict[str, RunningLane] = {}
        self._router: RouterStage | None = None
        self._view: ContactView | None = None
        self._feeds: FeedStage | None = None
        self._plan: Plan | None = None
        self._retiring: set[asyncio.Task[None]] = set()

    def plan(self, config: Config, changes: Changes | None = None) -> Plan:
        """Build the parts of a config; reuse unchanged accounts. Slow; call it in any thread."""
        kept = {}
        if self._plan is not None and changes is not None:
            former = self._plan.calls.accounts
            kept = {
                name: account for name, account in former.items() if name not in changes.accounts
            }
        vendors = build_vendors(config)
        accounts = build_accounts(config, vendors, self._services.clock.now, kept)
        calls = Calls(accounts, config.campaigns, self._loop, self._services.clock)
        book = None if self._contacts is None else self._contacts.book(config)
        return Plan(config, calls, router_rules(config, vendors), book)

    def start(self, plan: Plan) -> None:
        """Start every stage of this role."""
        self._plan = plan
        self._pools.add(plan.calls)
        if self._options.role.routes:
            self._start_router(plan.router)
        if self._options.role.sends:
            for lane in plan.config.lanes:
                self._start_lane(lane, plan)
            if self._contacts is not None and plan.book is not None:
                services, state = self._services, self._contacts.state
                self._contacts.use(plan.book)
                self._view = ContactView(services, plan.book, plan.config, state)
                self._start(self._view)
                self._start_feeds(plan.config)

    async def reconfigure(self, plan: Plan, changes: Changes) -> None:
        """Switch to another config. Calls sealed under the previous config finish under it."""
        former, self._plan = self._plan, plan
        self._pools.add(plan.calls)
        in_use = self._services.config
        in_use.lanes, in_use.homes = plan.config.lanes, plan.config.homes
        in_use.result_schema = plan.config.results.schema_id
        left = [self._lanes.pop(name) for name in changes.left_lanes if name in self._lanes]
        self._reconfigure_contacts(plan)
        stayed = list(self._lanes.values())
        for member in stayed:
            settings = lane_settings(plan.config, member.loop.name)
            contacts = plan.contacts_of(settings)
            member.loop.reconfigure(LaneConfig(settings, plan.calls, changes.accounts, contacts))
        if self._options.role.sends:
            for lane in changes.new_lanes:
                self._start_lane(lane, plan)
        if former is not None:
            await self._wait_briefly(lambda: not any(lane.uses(former.calls) for lane in stayed))
        if self._options.parent is not None and self._router is None:
            await self._options.parent.router_took_it()
        await self._move_router(plan.router, changes)
        in_use.version = plan.config.config_version
        for member in left:
            member.loop.leave()
        if former is not None:
            self._retire(former, [*stayed, *left])

    def _reconfigure_contacts(self, plan: Plan) -> None:
        if self._view is None or self._contacts is None or plan.book is None:
            return
        self._contacts.use(plan.book)
        self._view.reconfigure(plan.book, plan.config)
        if self._feeds is not None:
            self._feeds.reconfigure(build_feeds(plan.config))

    async def remove_ended(self) -> None:
        """Wait until every stage has ended."""
        await self._threads.ended_threads()

    async def close(self) -> None:
        """Close all connections to vendors, after every stage has ended."""
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        await self._pools.close()

    # -- parts --------------------------------------------------------------------------------

    def _start_router(self, rules: RouterConfig) -> None:
        options, stage = self._options, self._services
        since = options.answered_since
        self._router = RouterStage(
            rules.router,
            rules.inputs,
            stage,
            options.begin,
            options.instance,
            rules.schemas,
            None if since is None else AnsweredEvents(since),
        )
        stage.metrics.router.start_inputs([*rules.inputs, stage.topics.uploads])
        self._start(self._router)
        self._start(DelayStage(stage, options.instance))

    def _start_feeds(self, config: Config) -> None:
        if feeds := build_feeds(config):
            self._feeds = FeedStage(self._services, feeds, self._options.instance)
            self._start(self._feeds)

    def _start_lane(self, lane: str, plan: Plan) -> None:
        settings = lane_settings(plan.config, lane)
        loop = LaneStage(
            settings,
            self._services,
            plan.calls,
            self._options.begin,
            contacts=plan.contacts_of(settings),
            contact_service=self._contacts,
        )
        self._services.metrics.lane(lane).start()  # so that a takeover's first count is an increase
        self._lanes[lane] = RunningLane(loop, self._start(loop))

    def _start(self, stage: Stage) -> asyncio.Task[None]:
        return self._threads.start(stage.name, lambda: stage.run.keep_running(stage.run_membership))

    async def _move_router(self, rules: RouterConfig, changes: Changes) -> None:
        router = self._router
        if router is not None:
            self._services.metrics.router.start_inputs(changes.new_inputs)
            router.reconfigure(rules)
            await self._wait_briefly(lambda: router.follows(rules))

    async def _wait_briefly(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds, `PATIENCE` is over or the process stops."""
        deadline = self._loop.time() + PATIENCE
        stop = self._services.stop.is_set
        while not (condition() or stop() or self._loop.time() > deadline):  # noqa: ASYNC110 - threads set it without an event
            await asyncio.sleep(LOOK_EVERY)

    def _retire(self, former: Plan, users: list[RunningLane]) -> None:
        def in_use() -> bool:
            return any(lane.uses(former.calls) for lane in users)

        task = asyncio.create_task(self._pools.retire(former.calls, in_use))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)
