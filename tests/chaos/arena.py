"""What the chaos test acts on: a Kafka, lanes with a vendor each, and replicas of the dispatcher.

Five lanes, so each harmed replica owns something: three without limits, two with. Each lane has
a vendor of its own, whose journal is a file, and two campaigns. The vendors' latency is fixed: so
what is in flight at a moment can be told from when the vendor counted a call.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

from consumer.sandbox.server import SandboxServer
from consumer.sandbox.settings import PisanoCampaign, SandboxSettings
from tests.support.dispatcher import Dispatcher, LiveWorld
from tests.support.kafka import KafkaBroker
from tests.support.proxy import Proxy

BEFORE = 0.3
"""The share of a call's latency that passes before the vendor acts."""

LATENCY_MS = MappingProxyType(
    {"quick": 500, "usual": 600, "slow": 800, "tight": 600, "scarce": 800}
)
LIMITS = MappingProxyType({"tight": ["2/4s"], "scarce": ["4/8s"]})
LANES = tuple(LATENCY_MS)
CAMPAIGNS = 2


def campaign_id(lane: str, number: int) -> str:
    """The vendor's id of one of the lane's campaigns."""
    return f"{LANES.index(lane):08d}-0000-4000-8000-{number:012d}"


@dataclass(slots=True)
class Arena:
    """`world` has the topics and processes. `proxies`: instance → what stands before its Kafka."""

    world: LiveWorld
    broker: KafkaBroker
    proxies: dict[str, Proxy]
    config: Path = Path()
    vendors: dict[str, SandboxServer] = field(default_factory=dict)
    _http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=5, trust_env=False))

    def __enter__(self) -> Arena:
        for lane in LANES:
            server = SandboxServer(_vendor(lane, self.journal(lane)))
            server.start()
            self.vendors[lane] = server
        self.config = self.world.home / "routing.yaml"
        self.config.write_text(json.dumps(self._document(), indent=2))  # JSON is YAML
        self.world.create_topics(self.config)
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.vendors.values():
            server.stop()
        self._http.close()

    def journal(self, lane: str) -> Path:
        """Where the lane's vendor notes every call."""
        return self.world.home / f"journal-{lane}.jsonl"

    def start(self, instance: str, *, begin: str | None = None) -> Dispatcher:
        """Start a replica; with proxies, each reaches Kafka through its own."""
        proxy = self.proxies.get(instance)
        where = proxy.bootstrap if proxy else self.broker.bootstrap
        return self.world.start(self.config, instance, begin=begin, KAFKA_BOOTSTRAP=where)

    def owned(self, replica: Dispatcher) -> set[str]:
        """The lanes that a replica shows as its own; none of one that cannot answer now."""
        with suppress(httpx.HTTPError):
            return replica.metrics().label_values("buffered_invitations", "lane")
        return set()

    def open_calls(self, lane: str, at: float | None = None) -> list[int]:
        """Customers of each call that the vendor has acted on and not answered."""
        url = self.vendors[lane].base_url
        recent: list[dict[str, Any]] = self._http.get(f"{url}/_sandbox/log?limit=16").json()
        now = time.time() if at is None else at
        rest = LATENCY_MS[lane] * (1 - BEFORE) / 1000
        return [
            each["recipients"]
            for each in recent
            if each["time"] <= now < each["time"] + rest and each["fault"] is None
        ]

    def set_faults(self, lane: str, **faults: float) -> None:
        """Replace the faults that a lane's vendor shows."""
        url = f"{self.vendors[lane].base_url}/_sandbox/faults"
        self._http.post(url, json=faults).raise_for_status()

    def _document(self) -> dict[str, Any]:
        campaigns = [(lane, number) for lane in LANES for number in range(CAMPAIGNS)]
        return {
            "version": 1,
            "application_id": self.world.name,
            "kafka": {"bootstrap.servers": f"${{env:KAFKA_BOOTSTRAP:-{self.broker.bootstrap}}}"},
            "pseudonym": {"key_id": "k1", "key": "a-key-for-the-chaos-tests"},
            "quotas": {lane: _quota(lane) for lane in LANES},
            "vendors": {
                lane: {
                    "type": "pisano",
                    "base_url": self.vendors[lane].base_url,
                    "token": SandboxSettings().pisano_token,
                    "quota": lane,
                }
                for lane in LANES
            },
            "campaigns": {
                f"{lane}-{number}": {
                    "vendor": lane,
                    "channel": "sms",
                    "id": campaign_id(lane, number),
                    "window": {"max_batch": 500, "max_wait": "5s"},
                }
                for lane, number in campaigns
            },
            "inputs": {"pos": {"topics": [self.world.input], "format": "json"}},
            "routes": [_route(f"{lane}-{number}") for lane, number in campaigns],
            "admin": {"host": "127.0.0.1", "port": "${env:ADMIN_PORT}"},
        }


def _vendor(lane: str, journal: Path) -> SandboxSettings:
    return SandboxSettings.model_validate(
        {
            "campaigns": [
                PisanoCampaign(id=campaign_id(lane, number), channel="sms")
                for number in range(CAMPAIGNS)
            ],
            "latency": {"kind": "fixed", "ms": LATENCY_MS[lane], "before": BEFORE},
            "pisano_quota": {"limits": LIMITS.get(lane, [])},
            "journal_file": journal,
        }
    )


def _quota(lane: str) -> dict[str, object]:
    return {
        "limits": LIMITS.get(lane, []),
        "linger": "4s",
        "skew": "100ms",
        "max_in_flight": 3,
        "first_start": "unused",
        "call_timeout": "5s",
    }


def _route(name: str) -> dict[str, object]:
    return {
        "name": name,
        "input": "pos",
        "match": {"channel": [name]},
        "recipient": {"phone": "customer.phone"},
        "phone_region": "TR",
        "send": [name],
        "data": {"custom_attributes": {"name": "customer.name"}},
    }
