"""The vendors behind their throttles, with faults and the journal: one call at a time, no I/O.

The steps of a call: throttle, the vendor's checks, fault, journal, answer. The caller (`app.py`)
waits for the latency before and after.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable

from starlette.responses import Response

from consumer.sandbox import faults
from consumer.sandbox.batch_vendor import BatchVendors
from consumer.sandbox.customer_radar import Radar
from consumer.sandbox.journal import Journal
from consumer.sandbox.pisano import Pisano
from consumer.sandbox.settings import Account, Latency, SandboxSettings
from consumer.sandbox.throttle import Throttle
from consumer.sandbox.wire import Received, Reply


class Double:
    """The vendors with their throttles, faults and the journal; `reset` restores the start.

    The clock (epoch seconds) is read once a call, when the call is counted.
    """

    def __init__(self, settings: SandboxSettings, clock: Callable[[], float]) -> None:
        self._settings, self._clock = settings, clock
        self.journal = Journal(settings.journal_file)
        self.hung: set[asyncio.Transport] = set()
        self.reset()

    def reset(self) -> None:
        """Forget all calls, tokens and throttle states; faults and account are the settings'."""
        settings = self._settings
        self.journal.clear()
        self.faults = settings.faults
        self._account = settings
        self._set_quotas(settings)
        self._batch = BatchVendors(settings)
        self._vendors: dict[str, Pisano | Radar | BatchVendors] = {
            "pisano": Pisano(settings),
            "radar": Radar(settings),
            "batch": self._batch,
        }
        # Two generators, so that other latencies do not change the faults.
        self._fault_dice = random.Random(settings.seed)  # noqa: S311 - reproducible faults, no secrets
        self._latency_dice = random.Random(settings.seed + 1)  # noqa: S311 - reproducible latency, no secrets

    def _set_quotas(self, settings: SandboxSettings) -> None:
        own = {"pisano": settings.pisano_quota, "radar": settings.radar_quota}
        self._quotas = {
            **{("vendor", name): quota for name, quota in own.items()},
            **{("quota", name): quota for name, quota in settings.quotas.items()},
        }
        self._throttles = {
            name: Throttle(quota.parsed(), quota.algorithm, quota.offset)
            for name, quota in self._quotas.items()
        }

    def change(self, account: Account) -> None:
        """Apply the fields set in `account` to every later call."""
        self._account = self._account.with_account(account)
        if "quotas" in account.model_fields_set:
            self._set_quotas(self._account)
        for vendor in self._vendors.values():
            vendor.reconfigure(self._account)

    def latency(self) -> tuple[float, float]:
        """Return seconds to wait before a call is counted, and after it."""
        setting = self._settings.latency
        seconds = draw_latency(setting, self._latency_dice)
        return seconds * setting.before, seconds * (1 - setting.before)

    def call(
        self, method: str, path: str, headers: dict[str, str], body: bytes, target: str = ""
    ) -> Response:
        """Count one request, check it, carry it out and record it; return the answer to show.

        `target`: path and query as they were sent; by default the path.
        """
        request = Received(method, path, headers, body, self._clock(), target)
        name = "batch" if self._batch.knows(request.target) else vendor_of(path)
        if name is None:
            return self._respond("unknown", request, Reply(404, b'{"status": "not_found"}'), None)
        quota = self._quota_of(name, request)
        if quota in self._throttles and not self._throttles[quota].allow(request.at):
            return self._refuse_call(name, quota, request)
        reply = self._vendors[name].answer(request)
        fault = faults.pick(self.faults, name, self._fault_dice.random(), reply)
        if fault is not None:
            reply = faults.distort(reply, fault, self.faults, name)
        return self._respond(name, request, reply, fault)

    def _quota_of(self, vendor: str, request: Received) -> tuple[str, str]:
        """Return the key of the throttle that a request counts against."""
        named = self._vendors[vendor].quota_of(request)
        return ("vendor", vendor) if named is None else ("quota", named)

    def _respond(self, name: str, request: Received, reply: Reply, fault: str | None) -> Response:
        self.journal.add(name, request, reply, fault=fault)
        return faults.make_response(reply, fault, self.hung)

    def _refuse_call(self, name: str, quota: tuple[str, str], request: Received) -> Response:
        self.journal.add(name, request, Reply(429, b""), throttled=True)
        seconds = self._throttles[quota].retry_after(request.at)
        told = self._quotas[quota].send_retry_after
        headers = {"retry-after": str(math.ceil(seconds))} if told else {}
        return Response("Retry later\n", 429, headers, media_type="text/plain")


def vendor_of(path: str) -> str | None:
    """Return the vendor whose throttle a path counts against, endpoint or not, or None."""
    if path.startswith(("/v1/", "/external/")):
        return "pisano"
    return "radar" if path.startswith(("/auth/", "/invitation")) else None


def draw_latency(setting: Latency, dice: random.Random) -> float:
    """Draw the duration of one call, in seconds."""
    if setting.kind == "uniform":
        ms = max(0.0, dice.uniform(setting.ms - setting.spread, setting.ms + setting.spread))
    elif setting.kind == "lognormal":
        ms = setting.ms * dice.lognormvariate(0.0, setting.spread)
    else:
        ms = setting.ms
    return ms / 1000
