"""Polls whether Kafka is reachable; logs outages in readable lines and updates readiness.

Also the loop that every other watcher shares.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from consumer.errors import DispatcherError
from consumer.kafka.errors import describe, translate_errors
from consumer.kafka.reachability import tells_more, what_to_check
from consumer.kafka.renewed_admin import RenewedAdmin
from consumer.observability.health import Health
from consumer.observability.metrics.metrics import Metrics

LOOK_EVERY = 3.0
SAY_EVERY = 15.0

log = structlog.get_logger(__name__)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait so many seconds, or until `stop`."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def poll_repeatedly(
    poll: Callable[[], None], every: float, unknown: str, stop: asyncio.Event
) -> None:
    """Call `poll` in a worker thread every so many seconds until `stop`. Kafka's errors, which
    `BrokerWatch` reports, are logged as `unknown` at debug level."""
    while not stop.is_set():
        try:
            await asyncio.to_thread(poll)
        except DispatcherError as error:
            log.debug(unknown, why=str(error))
        await pause(stop, every)


class BrokerWatch:
    """Requests the cluster's metadata every few seconds, in a worker thread."""

    def __init__(
        self,
        settings: Mapping[str, str],
        health: Health,
        metrics: Metrics,
        now: Callable[[], float],
    ) -> None:
        quiet: dict[str, Any] = {"log_level": 0, "error_cb": self._note}
        with translate_errors("the kafka settings"):
            self._client = RenewedAdmin(lambda: AdminClient({**settings, **quiet}))
        self._why: KafkaError | None = None
        self._bootstrap = settings.get("bootstrap.servers", "")
        self._health = health
        self._metrics = metrics
        self._now = now
        self._down_since: float | None = None
        self._said_at = 0.0

    async def until_up(self, stop: asyncio.Event) -> bool:
        """Wait for the first answer. Return False if `stop` came first."""
        while not stop.is_set():
            if await self.poll():
                return True
            await pause(stop, LOOK_EVERY)
        return False

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until `stop`."""
        while not stop.is_set():
            await self.poll()
            await pause(stop, LOOK_EVERY)

    async def poll(self) -> bool:
        """Poll once; report to health, metrics and log. Return whether Kafka answered."""
        try:
            await asyncio.to_thread(self._ask)
        except KafkaException:
            self._down()
            return False
        self._up()
        return True

    def _ask(self) -> None:
        try:
            self._client.list_topics(timeout=LOOK_EVERY)
        except KafkaException:
            self._client.poll(0)
            if self._down_since is not None:
                self._client.renew()
            raise
        self._client.poll(0)  # calls `_note`, and empties the queue of events

    def _note(self, error: KafkaError) -> None:
        """Record why there is no connection, except "all brokers down", which explains nothing."""
        gone = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001 - public by use
        if error.code() != gone and tells_more(error, self._why):
            self._why = error

    def _down(self) -> None:
        now = self._now()
        if self._down_since is None:
            self._down_since, self._said_at = now, 0.0
        self._metrics.process.broker(up=False)
        self._health.set_ready("broker", ok=False, why=f"no answer from {self._bootstrap}")
        if now - self._said_at >= SAY_EVERY:
            self._said_at = now
            seconds = round(now - self._down_since)
            log.warning(
                "kafka_unreachable",
                bootstrap=self._bootstrap,
                seconds=seconds,
                why=describe(self._why) if self._why else "",
                check=what_to_check(self._why),
            )
            self._why = None  # the cause may change before the next line

    def _up(self) -> None:
        if self._down_since is not None:
            log.info("kafka_reachable_again", seconds=round(self._now() - self._down_since))
        self._down_since = None
        self._metrics.process.broker(up=True)
        self._health.set_ready("broker", ok=True)
