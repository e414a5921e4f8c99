"""Contact rules in a fleet's world: one store for all processes, its faults, and what must hold.

The store answers in events of the world, after a while. All that is drawn for it comes from a
stream of its own, and worlds without contact rules are the worlds that they were.
"""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from consumer.config.models import Config
from consumer.contacts.book import SEAL_SECONDS, Ownership
from consumer.lane.state.commands import Batch
from consumer.policy.contacts.table import ContactRules
from consumer.runtime.contacts.desk import ContactDesk
from consumer.runtime.contacts.state import ContactState
from consumer.wiring.contacts import ContactConfig, build_contact_rules
from tests.simulation.contacts.faulty_store import FaultyStore
from tests.simulation.contacts.world import ContactHistory, WatchedBook
from tests.simulation.kafka.scheduler import Scheduler
from tests.simulation.world.doubles import Mute, ProcessClock

Document = dict[str, Any]

WITHIN = 30.0
SKEW = 1.0
"""Seconds by which the processes' clocks and the store's may differ."""


def with_contact_rules(document: Document) -> Document:
    """The document with a contact store and rules; half of its routes are of one programme."""
    person = {"phone": "customer.phone", "email": "customer.email"}
    document["contacts"] = {"store": {"type": "sqlite", "path": "/nowhere/contacts.sqlite"}}
    document["contact_rules"] = {
        "everyone": {"at_most": 2, "within": f"{int(WITHIN)}s"},
        "nps": {
            "at_most": 1,
            "within": f"{int(WITHIN)}s",
            "applies_to": {"tags": ["nps"]},
            "at_limit": "wait",
        },
    }
    for name in document["inputs"]:
        document["inputs"][name]["person"] = person
    for number, route in enumerate(document["routes"]):
        route["tags"] = ["nps"] if number % 2 else ["store"]
        route["priority"] = (50, 20, 80)[number % 3]
    return document


def rotated(document: Document) -> Document:
    """The document with another key, and the former one still listed."""
    former = dict(document["pseudonym"])
    document["pseudonym"] = {"key_id": "k2", "key": "another-key-here", "previous": [former]}
    return document


@dataclass(frozen=True, slots=True)
class Left:
    """A call whose first byte left. `seals`: how many the store had granted by then."""

    at: float
    batch: str
    invitations: tuple[str, ...]
    seals: int


class FleetContacts:
    """The store of a world, and all that happened around it."""

    def __init__(self, seed: int, scheduler: Scheduler) -> None:
        self.rng = rng = random.Random(f"contacts of {seed}")
        self.scheduler = scheduler
        self.store = FaultyStore(lambda: scheduler.now, random.Random(rng.random()))
        self.history = ContactHistory()
        self.left: list[Left] = []
        self.slow = rng.choice([0.02, 0.3, 2.0])

    def plan(self, start: float, length: float) -> None:
        """Have the store fail while there is traffic."""
        for _ in range(self.rng.choice([0, 1, 2, 3])):
            self.scheduler.at(start + self.rng.uniform(0.0, length), self.store.keep_snapshot)
            self.scheduler.at(start + self.rng.uniform(0.0, length), self._break)
        self.scheduler.at(start + length, self._be_well)

    def _break(self) -> None:
        how = self.store.restart() if self.rng.random() < 0.6 else "down"
        self.history.faults[how] += 1
        self.store.down_until = self.scheduler.now + self.rng.choice([0.0, 2.0, 30.0])

    def _be_well(self) -> None:
        self.store.down_until, self.store.loses_answers = 0.0, False

    def leave(self, batch: Batch) -> None:
        """A call's first byte leaves."""
        names = tuple(pending.id for pending in batch.invitations)
        seals = len(self.history.sealed)
        self.left.append(Left(self.scheduler.now, batch.id, names, seals))


class SimStop(threading.Event):
    """A process's stop event, on the virtual clock."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__()
        self._scheduler = scheduler

    def wait(self, timeout: float | None = None) -> bool:
        """See `threading.Event`."""
        if not self.is_set():
            self._scheduler.wait(self._scheduler.now + (timeout or 0.0))
        return self.is_set()


class SimContactService:
    """In the place of `ContactService`, for one process."""

    def __init__(self, contacts: FleetContacts, process: str, clock: ProcessClock) -> None:
        self._contacts = contacts
        self._process = contacts.scheduler.process(process)
        self._clock = clock
        self.state = ContactState(Mute(), clock.steady)  # type: ignore[arg-type]

    def book(self, config: Config) -> WatchedBook:
        """See `ContactService`."""
        contacts = self._contacts
        rules: ContactRules = build_contact_rules(config)
        return WatchedBook(contacts.store, rules, contacts.history, lambda: contacts.scheduler.now)

    def desk(self, config: ContactConfig, owner: Ownership, inbox: Any) -> ContactDesk:
        """See `ContactService`."""
        slow = _SlowInbox(self, inbox)
        return ContactDesk(config, owner, self.later, slow, self.state, self._clock)  # type: ignore[arg-type]

    def later(self, what: Callable[[], None]) -> None:
        """Do something after a while, if the process is still there and awake."""
        scheduler = self._contacts.scheduler

        def happen() -> None:
            if self._process.frozen_until > scheduler.now:
                scheduler.at(self._process.frozen_until, happen)
            elif not self._process.dead:
                what()

        delay = self._contacts.rng.expovariate(1 / self._contacts.slow)
        scheduler.at(scheduler.now + delay, happen)


class _SlowInbox:
    """An inbox which an answer of the store takes a while to reach."""

    def __init__(self, service: SimContactService, inbox: Any) -> None:
        self._service, self._inbox = service, inbox

    def put(self, event: Any) -> None:
        """See `Inbox`."""
        self._service.later(lambda: self._inbox.put(event))


# -- laws -----------------------------------------------------------------------------------------


def wrong_calls(contacts: FleetContacts) -> Iterator[str]:
    """Yield calls that the store had not granted within the last seconds."""
    for left in contacts.left:
        granted = {name: at for at, name in contacts.history.sealed[: left.seals]}
        for name in left.invitations:
            if name not in granted:
                yield f"batch {left.batch} left without the store's word: {name}"
            elif left.at - granted[name] > SEAL_SECONDS + SKEW:
                yield f"batch {left.batch} left {left.at - granted[name]:.0f} s after its seal"


def full_windows(
    contacts: FleetContacts, ended: dict[str, Any], customers: dict[str, int]
) -> Iterator[str]:
    """Yield customers that were asked too often within a rolling window."""
    last = {name: left.at for left in contacts.left for name in left.invitations}
    asked = defaultdict[tuple[int, str], list[float]](list)
    for name, result in ended.items():
        if result["status"] in {"accepted", "unknown"} and name in last and name in customers:
            asked[customers[name], "everyone"].append(last[name])
            if "nps" in result["tags"]:
                asked[customers[name], "nps"].append(last[name])
    for (customer, rule), times in asked.items():
        most = 2 if rule == "everyone" else 1
        times.sort()
        for first, one_more in zip(times, times[most:], strict=False):
            if one_more - first < WITHIN - SKEW:
                yield f"customer {customer}: {rule} is full, asked {one_more - first:.1f} s apart"


def open_for_ever(contacts: FleetContacts) -> Iterator[str]:
    """Yield a reservation that no result has ended."""
    for key in contacts.store.keys("r:"):
        yield f"reserved for ever: {key}"
        return
