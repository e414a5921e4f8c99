"""One event of `benchmarks.takeover`: start the replicas, let it happen, see who has the lanes."""

from __future__ import annotations

import random
import signal
import statistics
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient

from benchmarks.takeover_groups import Event, Way
from benchmarks.takeover_replica import Groups, Replica
from tests.support.dispatcher import until
from tests.support.kafka import KafkaBroker

STAGGER = 5.0
"""Seconds over which a replica joins its groups: the longest heartbeat interval among the ways."""

TELL = 20.0
"""Seconds that an owner is given to hear that it has lost its lanes, where it has."""

Seconds = dict[str, float | None]
"""Group → how long its lane had no owner; None: nobody had it within the patience."""


@dataclass(slots=True)
class Round:
    """`owner` has all the lanes before the event, `others` are whom they may go to.

    `started`: all of them, in their order. `away`: seconds without the broker.
    """

    broker: KafkaBroker
    admin: AdminClient
    home: Path
    groups: Groups
    patience: float
    ends: ExitStack
    others: list[Replica] = field(default_factory=list)
    started: list[Replica] = field(default_factory=list)
    away: float = 0.0

    def run(self, event: Event) -> list[dict[str, Any]]:
        """A row for each way of membership."""
        owner = self._start("a", STAGGER)
        until("the owner has all lanes", lambda: owner.owned() == set(self.groups))
        if event.standby:
            self._stand_by()
            time.sleep(random.uniform(3.0, 8.0))
        owned, began = owner.owned(), time.monotonic()
        if event.standby_joins:
            self._stand_by()
            taken = self._while_kept(owner, began)
        elif event.broker_restarts or event.broker_thaw is not None:
            self._broker_away(event.broker_thaw)
            self.away = time.monotonic() - began
            taken = self._while_kept(owner, began, time.monotonic())
        elif event.thaw is not None:
            began = owner.signal(signal.SIGSTOP)
            time.sleep(event.thaw)
            owner.signal(signal.SIGCONT)
            taken = self._while_kept(owner, began, began)
        else:
            began, taken = self._gone(owner, owned, event)
        return self._rows(owned, taken, owner.told(began))

    def _start(self, instance: str, stagger: float) -> Replica:
        replica = Replica(self.home, self.broker.bootstrap, instance, self.groups, stagger)
        self.ends.callback(replica.close)
        self.started.append(replica)
        return replica

    def _stand_by(self) -> None:
        self.others.append(self._start("b", STAGGER))
        until("two members in each group", self._both)

    def _both(self) -> bool:
        time.sleep(0.2)
        found = self.admin.describe_consumer_groups(list(self.groups), request_timeout=10)
        descriptions = [future.result(10) for future in found.values()]
        return all(
            each.state == ConsumerGroupState.STABLE and len(each.members) == 2
            for each in descriptions
        )

    def _gone(self, owner: Replica, owned: set[str], event: Event) -> tuple[float, Seconds]:
        began = owner.signal(event.signal)
        if event.back is not None:
            time.sleep(event.back)
            if event.signal == signal.SIGTERM:
                owner.wait()
            self.others.append(self._start("a", 0.0))
        with suppress(TimeoutError):
            until(
                "all lanes are owned",
                lambda: all(self._assigned(group, began) for group in owned),
                self.patience,
            )
        firsts = {group: self._assigned(group, began) for group in owned}
        if event.signal == signal.SIGSTOP:
            owner.signal(signal.SIGCONT)
            with suppress(TimeoutError):
                until("the former owner knows", lambda: owned <= set(owner.told(began)), TELL)
        return began, {group: at - began if at else None for group, at in firsts.items()}

    def _broker_away(self, thaw: float | None) -> None:
        """Stop the broker for so long, or kill it and start it again."""
        if thaw is None:
            self.broker.kill()
            self.broker.start()
        else:
            self.broker.pause()
            time.sleep(thaw)
            self.broker.resume()

    def _while_kept(self, owner: Replica, began: float, since: float | None = None) -> Seconds:
        """0 for a lane that its owner kept; else from its loss, or `since`, to an assignment."""
        time.sleep(TELL)
        taken: Seconds = {}
        for group in self.groups:
            lost = [at for at, event in owner.lines(group) if at > began and event != "assigned"]
            later = [each.assigned(group, began) for each in [owner, *self.others]]
            found = [at for at in later if at is not None]
            if not lost and not found:
                taken[group] = 0.0
            else:
                start = since or min(lost, default=began)
                taken[group] = max(0.0, min(found) - start) if found else None
        return taken

    def _assigned(self, group: str, after: float) -> float | None:
        found = [at for each in self.others if (at := each.assigned(group, after)) is not None]
        return min(found, default=None)

    def _rows(
        self, owned: set[str], taken: Seconds, told: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        ways = {way.name: way for _, way in self.groups.values()}
        return [self._row(way, owned, taken, told) for way in ways.values()]

    def _row(
        self, way: Way, owned: set[str], taken: Seconds, told: Mapping[str, str]
    ) -> dict[str, Any]:
        mine = [group for group in owned if self.groups[group][1] is way]
        seconds = sorted(at for group in mine if (at := taken[group]) is not None)
        return {
            "way": way.name,
            "lanes": len(mine),
            "p50": round(statistics.median(seconds), 2) if seconds else None,
            "min": round(seconds[0], 2) if seconds else None,
            "max": round(seconds[-1], 2) if seconds else None,
            "never": len(mine) - len(seconds),
            "away": round(self.away, 1),
            "told": dict(Counter(told.get(group, "nothing") for group in mine)),
            "errors": dict(Counter(error for each in self.started for error in each.errors(mine))),
        }
