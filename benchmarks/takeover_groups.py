"""What `benchmarks.takeover` compares: ways of membership, brokers, and what befalls an owner."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass

TUNED: Mapping[str, str] = {}
"""Nothing to add: the tests' server.properties has short `group.*` settings."""

DEFAULTS: Mapping[str, str] = {
    "group.initial.rebalance.delay.ms": "3000",
    "group.min.session.timeout.ms": "6000",
    "group.consumer.min.session.timeout.ms": "45000",
    "group.consumer.session.timeout.ms": "45000",
    "group.consumer.min.heartbeat.interval.ms": "5000",
    "group.consumer.heartbeat.interval.ms": "5000",
}
"""Kafka 4.1's own values of what server.properties sets; the last of two settings counts."""

BROKERS = {"default": DEFAULTS, "tuned": TUNED}


@dataclass(frozen=True, slots=True)
class Way:
    """A way to be a member. `static`: with a `group.instance.id` that outlives the process."""

    name: str
    settings: Mapping[str, str | int]
    static: bool = False

    def client(self, bootstrap: str, instance: str) -> dict[str, str | int | bool]:
        """The client's settings; the rest as in consumer/kafka/transactions.py."""
        identity = {"group.instance.id": instance} if self.static else {}
        return {
            "bootstrap.servers": bootstrap,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "max.poll.interval.ms": 300_000,
            "log_level": 0,
            **self.settings,
            **identity,
        }


def _classic(session: int, heartbeat: int) -> dict[str, str | int]:
    return {
        "group.protocol": "classic",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": session * 1000,
        "heartbeat.interval.ms": heartbeat * 1000,
    }


_KIP_848: dict[str, str | int] = {"group.protocol": "consumer"}

WAYS = (
    Way("classic 12 s / 1 s", _classic(12, 1)),
    Way("classic 10 s / 3 s", _classic(10, 3)),
    Way("classic 8 s / 1 s", _classic(8, 1)),
    Way("classic 6 s / 2 s", _classic(6, 2)),
    Way("classic 6 s / 1 s", _classic(6, 1)),
    Way("classic 10 s / 3 s, static", _classic(10, 3), static=True),
    Way("KIP-848", _KIP_848),
    Way("KIP-848, static", _KIP_848, static=True),
)


@dataclass(frozen=True, slots=True)
class Event:
    """What befalls the owner, all times in seconds; a second replica is there or not (`standby`).

    `signal` ends the owner, and the same member returns `back` later or not; or it is stopped for
    `thaw`; or the broker is killed and started again (`broker_restarts`) or stopped for
    `broker_thaw`; or `standby_joins`.
    """

    signal: signal.Signals = signal.SIGKILL
    standby: bool = True
    back: float | None = None
    thaw: float | None = None
    broker_restarts: bool = False
    broker_thaw: float | None = None
    standby_joins: bool = False


EVENTS = {
    "kill": Event(),
    "kill-back-1": Event(back=1.0),
    "kill-back-5": Event(back=5.0),
    "alone-kill-back-1": Event(standby=False, back=1.0),
    "alone-kill-back-5": Event(standby=False, back=5.0),
    "term": Event(signal.SIGTERM),
    "alone-term-back-1": Event(signal.SIGTERM, standby=False, back=1.0),
    "scale-out": Event(standby=False, standby_joins=True),
    "stop": Event(signal.SIGSTOP),
    "stop-4": Event(thaw=4.0),
    "stop-6": Event(thaw=6.0),
    "broker-stop-5": Event(broker_thaw=5.0),
    "broker-stop-7": Event(broker_thaw=7.0),
    "broker-stop-10": Event(broker_thaw=10.0),
    "broker-restart": Event(broker_restarts=True),
}
