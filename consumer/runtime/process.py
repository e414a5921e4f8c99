"""The long-running process: threads for the stages, asyncio for HTTP, one graceful shutdown."""

from __future__ import annotations

import asyncio
import faulthandler
import signal
from collections.abc import Callable

import structlog

from consumer.clock import Clock
from consumer.config.changes import Changes
from consumer.config.models import Config
from consumer.errors import KafkaSessionError, StartPositionError, defect
from consumer.kafka.clients import KafkaClients, admin_client
from consumer.kafka.errors import records_fault
from consumer.observability.admin_server import run_admin
from consumer.observability.admin_state import ProcessState
from consumer.observability.health import Health
from consumer.observability.metrics.labels import CONTACTS, DELAY, FEEDS, NO_LANES, ROUTER
from consumer.observability.metrics.metrics import Metrics
from consumer.observability.status.pauses import pauses_by_command, pauses_of_config
from consumer.observability.status.report import StatusReport
from consumer.observability.status.status import COMMAND, CONFIG, PauseStatus
from consumer.plugins import known_plugins
from consumer.runtime.contacts import gate
from consumer.runtime.contacts.service import ContactService
from consumer.runtime.memory import calm_garbage_collector, keep_freed_memory
from consumer.runtime.options import Options
from consumer.runtime.preflight import KafkaPreflight
from consumer.runtime.reload import FileWatch, Reloader
from consumer.runtime.stage import ConfigInUse, StageServices
from consumer.runtime.supervisor import Supervisor
from consumer.runtime.tracing import start_tracing
from consumer.runtime.watchers.command_watch import CommandWatch
from consumer.runtime.watchers.pause_watch import PauseBoard, PausesNow, PauseWatch
from consumer.runtime.watchers.process_watch import BrokerWatch, poll_repeatedly
from consumer.wiring.contact_store import open_store

log = structlog.get_logger(__name__)

DEFECT = (
    "a defect of ours, please report this line. The lane made no call since; what was in a call "
    "then ends `unknown` at the next start. Restart the process to let it try again"
)

STOP_AT_MOST = 38.0
"""Seconds that a stop may take beyond the longest call: 2 s less than the chart's grace period."""


def give_up_after(seconds: float) -> None:
    """Schedule the process's end with code 1, and a traceback of each thread on stderr.

    Otherwise a thread that never returns from a library (see `kafka.transactions.send_offsets`) is
    killed at the end of the grace period, without a trace. The tracebacks name files and functions,
    and contain no values.
    """
    faulthandler.dump_traceback_later(seconds, exit=True)


def longest_stop(config: Config) -> float:
    """Return the seconds that a stop may take."""
    return max(quota.call_timeout for quota in config.quotas.values()) + STOP_AT_MOST


def _log_plugins() -> None:
    for plugin in known_plugins():
        what = {"group": plugin.group, "name": plugin.name, "package": plugin.package}
        if plugin.problem:
            log.warning("plugin_left_out", **what, error=plugin.problem)
        else:
            log.info("plugin_loaded", **what)


class Process:
    """One run of the program. `stop()` may be called from any thread."""

    def __init__(self, config: Config, options: Options) -> None:
        self.config = config
        self.options = options
        self.admin_port: int | None = None
        self._clock = Clock()
        self.metrics = Metrics()
        self._show_config(config)
        conditions = ["config", "broker", *(f"group:{name}" for name in self._stages())]
        self.health = Health(self._clock.steady, conditions)
        self.health.set_ready("config", ok=True)
        self._stopping = asyncio.Event()
        self._failure: BaseException | None = None
        self.services = StageServices(
            topics=config.topics,
            config=ConfigInUse(
                config.config_version,
                config.lanes,
                config.homes,
                bool(config.feeds.named),
                config.results.schema_id,
            ),
            clients=KafkaClients(
                config.kafka, embedded=options.embedded, instance=options.instance
            ),
            clock=self._clock,
            metrics=self.metrics,
            health=self.health,
            instance=options.instance,
            pauses=PauseBoard(known=not self._reads_pauses),
            tracing=start_tracing(config.tracing, options.instance),
        )
        self.status = StatusReport(
            self.services.board,
            self.metrics,
            self.health,
            self._clock.now,
            lambda: (self.config.config_version, self.config.lanes),
            options.instance,
            self._pauses,
        )
        self._show_pauses()
        self.state = ProcessState(self.metrics, self.health, self.status.json)
        self.reloader: Reloader | None = None
        self._files: FileWatch | None = None
        if options.file is not None:
            file = options.file
            self.reloader = Reloader(file.path, config, self._check, self._follow, self._reloaded)
            if options.parent is None:
                self._files = FileWatch(file, self.reloader.reload)
        if options.parent is not None and not options.role.routes:
            self.services.commands.return_elsewhere = options.parent.return_delayed

    def _show_config(self, config: Config) -> None:
        routes = [route.name for route in config.routes]
        self.metrics.process.config_loaded(
            config.config_version, list(config.campaigns), routes, config.application_id
        )

    async def run(self, *, signals: bool = True) -> None:
        """Run until SIGTERM, SIGINT or `stop()`. Raise the first failure, if there was one."""
        self._loop = asyncio.get_running_loop()
        if signals:
            self._listen_to_signals()
        _log_plugins()
        calm_garbage_collector()
        keep_freed_memory()
        admin = asyncio.create_task(self._admin())
        admin.add_done_callback(self._admin_ended)
        watch = BrokerWatch(self.config.kafka, self.health, self.metrics, self._clock.steady)
        self._preflight = KafkaPreflight(self.config, self.options, self.services)
        self._contacts = self._open_contacts()
        self._supervisor = Supervisor(
            self.services, self.options, self._thread, self._loop, self._contacts
        )
        try:
            if await watch.until_up(self._stopping):
                await asyncio.to_thread(self._preflight.check_topics, self.config)
                self._watch_topics()
                self._supervisor.start(self._supervisor.plan(self.config))
                watches = [watch.run(self._stopping), self._preflight.run(self._stopping)]
                if self._contacts is not None and self._contacts.gate is not None:
                    poll = self._contacts.gate.poll
                    every = gate.LOOK_EVERY
                    watches.append(poll_repeatedly(poll, every, "feeds_unknown", self._stopping))
                if self._files is not None:
                    watches.append(self._files.run(self._stopping))
                if self.options.parent is not None:
                    watches.append(self.options.parent.run(self._stopping))
                watching = [asyncio.create_task(watched) for watched in watches]
                await self._stopping.wait()
                await self._supervisor.remove_ended()
                await asyncio.gather(*watching)
                await self._supervisor.remove_ended()  # a reload may have started a lane meanwhile
        finally:
            self._stop()
            await self._supervisor.close()
            if self._contacts is not None:
                await asyncio.to_thread(self._contacts.close)
            await asyncio.to_thread(self.services.tracing.close)
            admin.cancel()
            await asyncio.gather(admin, return_exceptions=True)
        if self._failure is not None:
            raise self._failure

    def _open_contacts(self) -> ContactService | None:
        """Open the contact store, if this process asks it. Raises StoreUnavailable."""
        if self.config.contacts is None or not self.options.role.sends:
            return None
        store = open_store(self.config, self._clock.now)
        service = ContactService(store, self._clock, self.metrics.contacts)
        if not self.options.embedded:
            service.hold_back(admin_client(self.config.kafka), self.config)
        self.status.contacts = service.state.status
        return service

    def stop(self) -> None:
        """Seal nothing new, finish calls in flight, publish, commit, leave the groups."""
        self._loop.call_soon_threadsafe(self._stop)

    def _listen_to_signals(self) -> None:
        self._loop.add_signal_handler(signal.SIGTERM, self._told_to_stop)
        if self.options.parent is None:  # a child's parent has the terminal's signals
            self._loop.add_signal_handler(signal.SIGINT, self._told_to_stop)
            files = self._files  # None for a config from standard input
            hang_up = self._told_to_stop if files is None else files.ask
            self._loop.add_signal_handler(signal.SIGHUP, hang_up)

    def _told_to_stop(self) -> None:
        if not self._stopping.is_set():  # a second signal does not extend the time
            give_up_after(longest_stop(self.config))
        self._stop()

    def _stop(self) -> None:
        if not self._stopping.is_set():
            log.info("stopping")
        self._stopping.set()
        self.services.stop.set()

    def _stages(self) -> list[str]:
        """Return the names of this process's stages, by role: `router` and `delay`; the lanes, the
        view of contacts and the feeds."""
        role = self.options.role
        routing = [ROUTER, DELAY] if role.routes else []
        view = [CONTACTS] if role.sends and self.config.contacts else []
        feeds = [FEEDS] if view and self.config.feeds.named else []
        return [*routing, *(self.config.lanes if role.sends else ()), *view, *feeds]

    @property
    def _reads_pauses(self) -> bool:
        return self.options.role.sends and not self.options.embedded

    def _watch_topics(self) -> None:
        """Start to read what operators command."""
        stage = self.services
        if self._reads_pauses:
            pauses = PauseWatch(
                stage.topics.pauses, stage.clients, stage.pauses, self._paused, self._clock.now
            )
            pauses.start(f"{stage.topics.application_id}.pause-reader", stage.stop)
        if not self.options.embedded:
            watch = CommandWatch(
                stage.topics.commands,
                stage.clients,
                stage.commands,
                self.metrics,
                self._clock.now,
                f"{stage.topics.application_id}.commands.{stage.instance}",
            )
            watch.start(f"{stage.topics.application_id}.command-reader", stage.stop)

    def _pauses(self) -> list[PauseStatus]:
        by_command = pauses_by_command(self.services.pauses.now.records)
        return [*by_command, *pauses_of_config(self.config)]

    def _paused(self, now: PausesNow) -> None:
        """Show what is paused by command; in the thread of `PauseWatch`."""
        names = [(pause.kind, pause.name) for pause in now.records]
        self.metrics.process.paused(COMMAND, names)

    def _show_pauses(self) -> None:
        """Show what the config pauses."""
        names = [(pause.kind, pause.name) for pause in pauses_of_config(self.config)]
        self.metrics.process.paused(CONFIG, names)

    # -- reload -------------------------------------------------------------------------------

    async def _check(self, config: Config, changes: Changes) -> None:
        """Raise DispatcherError with what Kafka lacks for this config."""
        await asyncio.to_thread(self._preflight.check_changes, config, changes)

    async def _follow(self, config: Config, changes: Changes) -> None:
        """Switch all stages to this config. Stop the process if that fails half-way."""
        plan = await asyncio.to_thread(self._supervisor.plan, config, changes)
        try:
            self.metrics.process.set_campaigns(list(config.campaigns))
            self._preflight.reconfigure(config)
            await self._supervisor.reconfigure(plan, changes)
        except Exception as error:
            self._failure = self._failure or error
            self._stop()
            raise
        self.config = config
        self._show_config(config)
        self._show_pauses()

    def _reloaded(self, result: str) -> None:
        self.metrics.process.config_reload(result)
        self.services.board.reloaded(result, self._clock.now())

    # -- threads ------------------------------------------------------------------------------

    def _thread(self, name: str, keep_running: Callable[[], None]) -> None:
        """Run a stage until its end. A failed lane, or a delay stage without a start position,
        stops alone; any other failure ends the process."""
        self.health.set_ready(f"group:{name}", ok=False, why="not a member of its group yet")
        try:
            keep_running()
            if not self.services.stop.is_set():  # only a lane removed from the config ends so
                self._left(name)
                return
        except StartPositionError as error:
            self._stopped(name, error, str(error))
            if name != "router" and not self.services.stop.is_set():
                return
        except BaseException as error:  # noqa: BLE001 - a thread that ends must end the process
            stopping = self.services.stop.is_set()
            if name not in NO_LANES and records_fault(error) and not stopping:
                self._stopped(name, error, f"{defect(error)}: {DEFECT}")
                return
            # During a stop the next start recovers from a Kafka error; a defect is still a failure.
            if not (stopping and isinstance(error, KafkaSessionError)):
                log.error("stage_ended", stage=name, error=defect(error))
                self._failure = self._failure or error
        self.stop()

    def _stopped(self, name: str, error: BaseException, why: str) -> None:
        """Record that a stage has stopped because of an error."""
        log.error("stage_stopped", stage=name, why=why)
        self.metrics.stage(name).stopped()
        self._failure = self._failure or error
        self.health.set_ready(f"group:{name}", ok=False, why=why)

    def _left(self, lane: str) -> None:
        self.health.drop_condition(f"group:{lane}")
        self.metrics.lane(lane).clear()
        log.info("lane_ended", lane=lane, hint="`survey-dispatcher lanes list` shows what it holds")

    async def _admin(self) -> None:
        if self.options.parent is not None:
            return

        def started(port: int) -> None:
            self.admin_port = port
            log.info("admin_started", port=port)

        await run_admin(self.config.admin, self.state, started=started)

    def _admin_ended(self, task: asyncio.Task[None]) -> None:
        failure = None if task.cancelled() else task.exception()
        if failure is not None:  # without probes and metrics the process is unobservable
            log.error("admin_ended", error=type(failure).__name__)
            self._failure = self._failure or failure
            self._stop()
