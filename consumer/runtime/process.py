"""The long-running process: threads for router and lanes, asyncio for HTTP, one clean end."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

import structlog
from confluent_kafka import KafkaException

from consumer.adapters import topics
from consumer.adapters.admin import admin_app, serve_admin
from consumer.adapters.beginnings import Beginning
from consumer.adapters.clients import KafkaClients
from consumer.adapters.clock import Clock
from consumer.adapters.health import Health
from consumer.adapters.kafka import describe
from consumer.adapters.metrics import Metrics
from consumer.app import build_accounts, build_router, build_vendors, lane_settings
from consumer.config.models import Config
from consumer.errors import KafkaTrouble, StartUnclear, TopicsError
from consumer.routing.router import Router
from consumer.runtime.calls import Account, Calls
from consumer.runtime.lane_loop import LaneLoop
from consumer.runtime.router_loop import RouterLoop
from consumer.runtime.stage import Stage
from consumer.runtime.watch import BrokerWatch

log = structlog.get_logger(__name__)


class Role(StrEnum):
    """Which stages this process runs."""

    ALL = "all"
    ROUTER = "router"
    SENDER = "sender"


class ExitCode(IntEnum):
    """What a supervisor and an on-call engineer read. 2 is also a wrong command line."""

    CLEAN = 0
    DEFECT = 1
    CONFIG = 2
    TOPICS = 3
    START_UNCLEAR = 4


@dataclass(slots=True)
class Options:
    """How to run. `embedded`: a broker without topic administration (the demo's)."""

    role: Role = Role.ALL
    begin: Beginning = None
    instance: str = "0"
    embedded: bool = False


def _calm_garbage_collector() -> None:
    """Held invitations are many and make no cycles: searching them for some costs a third."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def limit_names(config: Config, lane: str) -> tuple[str, ...]:
    """A lane's limits as metrics label them: `20/5s`."""
    return tuple(f"{each.calls}/{each.period:g}s" for each in config.quotas[lane].limits)


class Process:
    """One run of the program. `stop()` may be called from any thread."""

    def __init__(self, config: Config, options: Options) -> None:
        self.config = config
        self.options = options
        self.admin_port: int | None = None
        self._clock = Clock()
        self.metrics = Metrics(campaigns=list(config.campaigns))
        self.metrics.config_loaded(config.config_version, list(config.campaigns))
        conditions = ["config", "broker", *(f"group:{name}" for name in self._stages())]
        self.health = Health(self._clock.now, conditions)
        self.health.set_ready("config", ok=True)
        self._stopping = asyncio.Event()
        self._failure: BaseException | None = None
        self.stage = Stage(
            topics=config.topics,
            lanes=config.lanes,
            config_version=config.config_version,
            clients=KafkaClients(config.kafka, embedded=options.embedded),
            clock=self._clock,
            metrics=self.metrics,
            health=self.health,
        )

    async def run(self, *, signals: bool = True) -> None:
        """Until SIGTERM, SIGINT or `stop()`. Raises what ended it, if it did not end cleanly."""
        self._loop = asyncio.get_running_loop()
        if signals:
            for number in (signal.SIGTERM, signal.SIGINT):
                self._loop.add_signal_handler(number, self._stop)
        _calm_garbage_collector()
        vendors = build_vendors(self.config)
        accounts = build_accounts(self.config, vendors, self._clock.now)
        admin = asyncio.create_task(self._admin())
        admin.add_done_callback(self._admin_ended)
        watch = BrokerWatch(self.config.kafka, self.health, self.metrics, self._clock.now)
        try:
            if await watch.until_up(self._stopping):
                await asyncio.to_thread(self._check_topics)
                watching = asyncio.create_task(watch.run(self._stopping))
                await self._work(build_router(self.config, vendors), accounts)
                await watching
        finally:
            self._stop()
            for account in accounts.values():
                await account.client.close()
            admin.cancel()
            await asyncio.gather(admin, return_exceptions=True)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Seal nothing new, finish calls in flight, publish, commit, leave the groups."""
        self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        if not self._stopping.is_set():
            log.info("stopping")
        self._stopping.set()
        self.stage.stop.set()

    async def _work(self, router: Router, accounts: Mapping[str, Account]) -> None:
        calls = Calls(accounts, self.config.campaigns, self._loop, self._clock.now)
        sessions: dict[str, Callable[[], None]] = {}
        if "router" in self._stages():
            inputs = self.config.input_topics
            loop = RouterLoop(router, inputs, self.stage, self.options.begin, self.options.instance)
            self.metrics.start_router(inputs)
            sessions[loop.name] = loop.session
        for name in self.config.lanes:
            if name in self._stages():
                sessions[name] = self._lane(name, calls).session
        threads = [
            threading.Thread(target=self._thread, args=(name, session), name=name)
            for name, session in sessions.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)

    def _stages(self) -> list[str]:
        """Names of what this process runs: `router` and the lanes, by role."""
        router = [] if self.options.role is Role.SENDER else ["router"]
        return router + ([] if self.options.role is Role.ROUTER else list(self.config.lanes))

    def _lane(self, name: str, calls: Calls) -> LaneLoop:
        return LaneLoop(
            lane_settings(self.config, name),
            self.stage,
            calls,
            self.options.begin,
            limit_names(self.config, name),
        )

    def _thread(self, name: str, session: Callable[[], None]) -> None:
        """A stage's life. A lane that must not go on stops alone; all else ends the process."""
        try:
            self.stage.keep_running(name, session)
        except StartUnclear as error:
            log.error("stage_stopped", stage=name, why=str(error))
            self._failure = self._failure or error
            if name != "router" and not self.stage.stop.is_set():
                self.health.set_ready(f"group:{name}", ok=False, why=str(error))
                return
        except BaseException as error:  # noqa: BLE001 - a thread that ends must end the process
            # At a stop, Kafka's trouble leaves only what the next start mends; a defect is one.
            if not (self.stage.stop.is_set() and isinstance(error, KafkaTrouble)):
                log.error("stage_ended", stage=name, error=type(error).__name__)
                self._failure = self._failure or error
        self.stop()

    def _check_topics(self) -> None:
        """Raises TopicsError with all that is wrong and what mends it."""
        if self.options.embedded:
            return
        client = topics.admin(self.config.kafka)
        inputs = self.config.input_topics
        try:
            found = topics.problems(client, topics.own_topics(self.config), inputs)
            if found:
                hint = "`survey-dispatcher topics --create` makes those of the program's own"
                raise TopicsError("; ".join(found) + f" ({hint})")
        except KafkaException as error:
            raise TopicsError(f"reading the topics: {describe(error)}") from error
        except TimeoutError:
            raise TopicsError("reading the topics: Kafka did not answer in time") from None

    async def _admin(self) -> None:
        def started(port: int) -> None:
            self.admin_port = port
            log.info("admin_started", port=port)

        where = self.config.admin
        app = admin_app(self.metrics, self.health)
        await serve_admin(app, where.host, where.port, started=started)

    def _admin_ended(self, task: asyncio.Task[None]) -> None:
        failure = None if task.cancelled() else task.exception()
        if failure is not None:  # without probes and metrics nobody sees what goes on here
            log.error("admin_ended", error=type(failure).__name__)
            self._failure = self._failure or failure
            self._stop()
