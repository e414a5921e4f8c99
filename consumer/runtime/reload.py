"""Hot reload: when the config is read again, and whether it is applied, refused or unchanged.

SIGHUP triggers a reload at once. Otherwise a reload starts when the contents of the config's files
differ from the last tried contents and two polls in a row agree, because an editor may still be
writing. An invalid config changes nothing. A config refused only because of Kafka (a topic is
missing) is retried, because the cause may resolve itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from consumer.config.changes import Changes, compare
from consumer.config.models import Config
from consumer.errors import ConfigError, DispatcherError
from consumer.observability.metrics.metrics import Metrics
from consumer.wiring import config_file
from consumer.wiring.config_file import ConfigFile

LOOK_EVERY = 2.0
TRY_AGAIN = 15
"""Polls of the files after which a config refused because of Kafka is retried."""

RESTART = "cannot change while the process runs"
RESTART_HINT = "it needs a restart; undo it to have the rest applied now"

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Looks:
    """Fingerprints of the config's files, and whether they call for a reload. `tried`: at the last
    reload; `last`: at the last poll; `until_again`: polls left until a retry."""

    tried: bytes
    last: bytes = b""
    until_again: int | None = None

    def due(self, now: bytes) -> bool:
        """Record a poll's fingerprint. Return whether to reload. Call it once for each poll."""
        settled, self.last = now == self.last, now
        if self.until_again is not None:
            self.until_again -= 1
        again = self.until_again is not None and self.until_again <= 0
        return settled and (now != self.tried or again)

    def trying(self, now: bytes) -> None:
        """Record that a reload reads the files now; `again_later` may follow."""
        self.tried, self.until_again = now, None

    def again_later(self) -> None:
        """Schedule a retry: the cause of the refusal is not in the files."""
        self.until_again = TRY_AGAIN


class Reloader:
    """Reloads the config and applies its changes.

    `check` asks Kafka about a changed config and may raise DispatcherError; `apply` puts it into
    use; `ended` receives the result of each reload.
    """

    def __init__(
        self,
        file: ConfigFile,
        config: Config,
        metrics: Metrics,
        check: Callable[[Config, Changes], Awaitable[None]],
        apply: Callable[[Config, Changes], Awaitable[None]],
        ended: Callable[[str], None] = lambda _result: None,
    ) -> None:
        self._path = file.path
        self._looks = Looks(file.fingerprint)
        self._config = config
        self._metrics = metrics
        self._check = check
        self._apply = apply
        self._ended = ended
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Request a reload now (SIGHUP)."""
        self._asked.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Poll the files until `stop`, and reload when due."""
        while not stop.is_set():
            await self._pause(stop)
            if stop.is_set():
                return
            now = await asyncio.to_thread(config_file.fingerprint, self._path)
            if self._looks.due(now) or self._asked.is_set():
                self._asked.clear()
                await self.reload()

    async def reload(self) -> None:
        """Read, compare, check and apply the config. Log and count any failure."""
        self._looks.trying(await asyncio.to_thread(config_file.fingerprint, self._path))
        try:
            result = await self._reload()
        except ConfigError as error:
            result = self._refused([str(problem) for problem in error.problems])
        except DispatcherError as error:
            self._looks.again_later()
            result = self._refused([str(error)])
        except Exception as error:  # noqa: BLE001 - the former config must go on working
            result = self._refused([f"{type(error).__name__}: a defect, please report"])
        self._metrics.process.config_reload(result)
        self._ended(result)

    async def _reload(self) -> str:
        config = await asyncio.to_thread(config_file.read, self._path)
        changes = compare(self._config, config)
        if changes.nothing:
            await self._apply(config, changes)  # the cause at a vendor may be fixed
            log.info("config_unchanged", version=config.config_version)
            return "unchanged"
        if changes.fixed:
            raise ConfigError(
                config_file.problems(self._path, changes.fixed, RESTART, RESTART_HINT)
            )
        await self._check(config, changes)
        await self._apply(config, changes)
        was, self._config = self._config, config
        for warning in config.warnings:
            log.warning("config_warning", problem=str(warning))
        log.info(
            "config_applied",
            version=config.config_version,
            was=was.config_version,
            new_lanes=changes.new_lanes,
            left_lanes=changes.left_lanes,
            new_inputs=changes.new_inputs,
            accounts=sorted(changes.accounts),
        )
        return "applied"

    def _refused(self, problems: Sequence[str]) -> str:
        version = self._config.config_version
        log.error("config_refused", problems=list(problems), still_in_use=version)
        return "refused"

    async def _pause(self, stop: asyncio.Event) -> None:
        """Wait until the next poll, a signal or `stop`."""
        events = [asyncio.create_task(event.wait()) for event in (self._asked, stop)]
        await asyncio.wait(events, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
        for event in events:
            event.cancel()
