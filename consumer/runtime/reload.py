"""Hot reload: when the config is read again, and whether it is applied, refused or unchanged.

SIGHUP triggers a reload at once. Otherwise a reload starts when the contents of the config's files
differ from the last tried contents and two polls in a row agree, because an editor may still be
writing. An invalid config changes nothing. A config refused only because of Kafka (a topic is
missing) is retried, because the cause may resolve itself.

    FileWatch ─► Reloader: prepare (read, compare, check) ─► take (apply)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import structlog

from consumer.config.changes import Changes, compare
from consumer.config.models import Config
from consumer.errors import ConfigError, DispatcherError
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


class Reload(StrEnum):
    """Result of a reload, or of its first half. `later`: refused because of Kafka."""

    READY = "ready"
    APPLIED = "applied"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    LATER = "later"

    @property
    def counted(self) -> str:
        """The result in metrics and status."""
        return str(Reload.REFUSED if self is Reload.LATER else self)


class FileWatch:
    """Polls the config's files, and has it reloaded when due. `reload` raises nothing."""

    def __init__(self, file: ConfigFile, reload: Callable[[], Awaitable[Reload]]) -> None:
        self._path = file.path
        self._looks = Looks(file.fingerprint)
        self._reload = reload
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
            now = await self._fingerprint()
            if self._looks.due(now) or self._asked.is_set():
                self._asked.clear()
                self._looks.trying(await self._fingerprint())
                if await self._reload() is Reload.LATER:
                    self._looks.again_later()

    async def _fingerprint(self) -> bytes:
        return await asyncio.to_thread(config_file.fingerprint, self._path)

    async def _pause(self, stop: asyncio.Event) -> None:
        """Wait until the next poll, a signal or `stop`."""
        events = [asyncio.create_task(event.wait()) for event in (self._asked, stop)]
        await asyncio.wait(events, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
        for event in events:
            event.cancel()


class Reloader:
    """Reads the config again and applies its changes.

    `check` asks Kafka about a changed config and may raise DispatcherError; `apply` puts it into
    use; `ended` receives the result of each reload.
    """

    def __init__(
        self,
        path: Path,
        config: Config,
        check: Callable[[Config, Changes], Awaitable[None]],
        apply: Callable[[Config, Changes], Awaitable[None]],
        ended: Callable[[str], None] = lambda _result: None,
    ) -> None:
        self._path = path
        self._config = config
        self._check = check
        self._apply = apply
        self._ended = ended
        self.prepared: tuple[Config, Changes] | None = None

    async def reload(self) -> Reload:
        """Read, compare, check and apply the config. Log and report any failure."""
        result = await self.prepare()
        if result is Reload.READY:
            result = await self.take()
        self._ended(result.counted)
        return result

    async def prepare(self) -> Reload:
        """Read, compare and check the config, and change nothing. Log any failure."""
        self.prepared = None
        return await self._try(self._prepare)

    async def take(self) -> Reload:
        """Apply the prepared config. Log any failure."""
        return await self._try(self._take)

    async def _try(self, part: Callable[[], Awaitable[Reload]]) -> Reload:
        try:
            return await part()
        except ConfigError as error:
            return self._refused(Reload.REFUSED, [str(problem) for problem in error.problems])
        except DispatcherError as error:
            return self._refused(Reload.LATER, [str(error)])
        except Exception as error:  # noqa: BLE001 - the former config must go on working
            why = f"{type(error).__name__}: a defect, please report"
            return self._refused(Reload.REFUSED, [why])

    async def _prepare(self) -> Reload:
        config = await asyncio.to_thread(config_file.read, self._path)
        changes = compare(self._config, config)
        if changes.fixed:
            raise ConfigError(
                config_file.problems(self._path, changes.fixed, RESTART, RESTART_HINT)
            )
        if not changes.nothing:
            await self._check(config, changes)
        self.prepared = config, changes
        return Reload.READY

    async def _take(self) -> Reload:
        if self.prepared is None:
            raise ValueError
        (config, changes), self.prepared = self.prepared, None
        await self._apply(config, changes)
        if changes.nothing:  # applied all the same: the cause at a vendor may be fixed
            log.info("config_unchanged", version=config.config_version)
            return Reload.UNCHANGED
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
        return Reload.APPLIED

    def _refused(self, result: Reload, problems: Sequence[str]) -> Reload:
        version = self._config.config_version
        log.error("config_refused", problems=list(problems), still_in_use=version)
        return result
