"""Plays recorded events through all rules before a survey, on a virtual clock.

    event ─ router ─► delay topics ─► lane ─ contact book ─► call ─► result ─► contact book

Router, lanes and contact book are the program's own; only the clock, Kafka and the vendor are
simulated. The vendor accepts what its quota allows. Every event ends in one result, so the counts
by status and reason add up to the events that a route took.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import orjson

from consumer.config.models import Config
from consumer.contacts.book import ContactBook, Ownership
from consumer.contacts.changes import change_of_result
from consumer.contacts.memory import MemoryStore
from consumer.contacts.store import ContactStore
from consumer.errors import StoreUnavailable
from consumer.lane.lane import Lane
from consumer.lane.state.commands import (
    Command,
    Commit,
    ContactsAnswered,
    Login,
    ReserveContacts,
    SealContacts,
    Send,
)
from consumer.lane.state.delay_steps import STEPS
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.results import encode_results
from consumer.records.input_record import InputRecord
from consumer.records.result import EncodedResult, Result
from consumer.routing.decoding.times import TimeReader
from consumer.routing.router import Router
from consumer.simulate.play import LATENCY, Network, deliver_answer
from consumer.simulate.simulate import in_memory
from consumer.wiring.build import build_router, build_vendors, lane_settings
from consumer.wiring.contacts import (
    ContactConfig,
    build_contact_rules,
    contact_request,
    counted_names,
    route_contacts,
)

OpenStore = Callable[[Callable[[], float]], ContactStore]
"""Opens a store whose clock is the function."""

SHORTEST_STEP = min(STEPS.values())


@dataclass(slots=True)
class RulesPlayed:
    """What became of the events: counts by `status/reason`, and every call in order.

    `unmatched`: events that no route took. `calls`: (time, result) of each accepted invitation.
    """

    events: int = 0
    unmatched: int = 0
    dead_letters: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    by_rule: Counter[str] = field(default_factory=Counter)
    calls: list[tuple[float, Result]] = field(default_factory=list)

    @property
    def ended(self) -> int:
        """How many events ended in a result."""
        return sum(self.counts.values())


@dataclass(slots=True)
class _Lane:
    machine: Lane
    network: Network
    contacts: ContactConfig
    owner: Ownership
    offsets: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    look_at: float | None = None


class RulesPlay:
    """One run over events in the order of time."""

    def __init__(self, config: Config, seed: int = 0, open_store: OpenStore = MemoryStore) -> None:
        self.now = 0.0
        self.played = RulesPlayed()
        self._router: Router = build_router(config, build_vendors(config))
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._times = TimeReader()
        store = open_store(lambda: self.now)
        self._routes = route_contacts(config)
        self._names = counted_names(self._routes)
        self._book = ContactBook(store, build_contact_rules(config))
        self._lanes = {
            lane: self._lane(config, lane, random.Random(f"{seed} {lane}"))  # noqa: S311 - repeatable
            for lane in config.lanes
        }

    def _lane(self, config: Config, lane: str, rng: random.Random) -> _Lane:
        settings = in_memory(lane_settings(config, lane))
        contacts = ContactConfig(self._book, settings.campaigns, self._routes)
        machine = Lane(settings, rng, 0.0)
        return _Lane(machine, Network(settings, rng, LATENCY), contacts, Ownership(lane, 0))

    def run(self, records: Iterable[tuple[float, InputRecord]]) -> RulesPlayed:
        """Play to the end. `records`: each with its event's time, in the order of time."""
        ready = False
        coming = iter(records)
        following = next(coming, None)
        while following is not None or self._events:
            if following is not None and (not self._events or following[0] <= self._events[0][0]):
                self.now = max(self.now, following[0])
                if not ready:
                    self._begin()
                    ready = True
                self._route(following[1])
                following = next(coming, None)
            else:
                when, _, happens = heapq.heappop(self._events)
                self.now = max(self.now, when)
                happens()
        return self.played

    def _begin(self) -> None:
        """Let the store grant: no lane has anything in flight, and there are no results yet."""
        for lane in self._lanes.values():
            self._book.take_over(lane.owner, [])
        names = list(self._lanes)
        if not self._book.finish_recovery(names, {}):
            raise StoreUnavailable("a new store does not grant")

    def _later(self, when: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._events, (max(when, self.now), next(self._order), happens))

    # -- router -------------------------------------------------------------------------------

    def _route(self, record: InputRecord) -> None:
        routed = self._router.route([record], self.now)
        self.played.events += 1
        self.played.dead_letters += len(routed.dead_letters)
        self.played.unmatched += routed.counts[record.topic, "unmatched", ""]
        for result in routed.results:
            self._ended(EncodedResult.of(result))
        for made in routed.invitations:
            when = made.due_at or self.now
            self._later(when, lambda made=made: self._arrive(made.lane, made.value))  # type: ignore[misc]  # bound now

    # -- lanes --------------------------------------------------------------------------------

    def _arrive(self, name: str, value: bytes) -> None:
        lane = self._lanes[name]
        pending = PendingInvitation.read(next(lane.offsets), value, self.now)
        lane.machine.arrived(pending, self.now)
        self._turn(lane)

    def _turn(self, lane: _Lane) -> None:
        """Run ticks until the lane waits, and look again when it wants to."""
        for _ in range(100):
            commands = lane.machine.tick(self.now)
            for command in commands:
                self._carry_out(lane, command)
            if not commands and lane.machine.wake_at > self.now:
                break
        wake_at = lane.machine.wake_at
        if lane.look_at is None or wake_at < lane.look_at or lane.look_at <= self.now:
            lane.look_at = wake_at
            self._later(wake_at, lambda: self._look(lane, wake_at))

    def _look(self, lane: _Lane, planned: float) -> None:
        if lane.look_at == planned:
            lane.look_at = None
            idle = lane.machine.idle and not lane.machine.buffer.buffered
            if not idle:
                self._turn(lane)

    def _carry_out(self, lane: _Lane, command: Command) -> None:
        match command:
            case Commit():
                self._commit(lane, command)
            case ReserveContacts() | SealContacts():
                self._ask(lane, command)
            case _:
                pass  # nothing to pause: all is in memory

    def _ask(self, lane: _Lane, question: ReserveContacts | SealContacts) -> None:
        """Have the book answer a lane's question at once."""
        invitations, known = question.invitations, lane.contacts.campaigns
        sealing = isinstance(question, SealContacts)
        if sealing:
            said = self._book.seal([pending.id for pending in invitations], lane.owner)
        else:
            requests = [
                contact_request(pending, known.get(pending.campaign), self._routes)
                for pending in invitations
            ]
            said = self._book.reserve(requests, lane.owner)
        offsets = (pending.offset for pending in invitations)
        answer = ContactsAnswered(dict(zip(offsets, said, strict=True)), sealing)
        lane.machine.contacts_answered(answer, self.now)

    def _commit(self, lane: _Lane, commit: Commit) -> None:
        for encoded in encode_results(commit.results):
            self._ended(encoded)
        for delayed in commit.delayed:
            # The delay topics return a record at its due time, at most a step late.
            name, value = lane.owner.lane, delayed.record()
            when = max(delayed.due_at, self.now + SHORTEST_STEP)
            self._later(when, lambda name=name, value=value: self._arrive(name, value))  # type: ignore[misc]  # bound now
        for leaving in lane.machine.committed():
            if isinstance(leaving, Send | Login):
                self._call(lane, leaving)

    def _call(self, lane: _Lane, command: Send | Login) -> None:
        at, allowed = lane.network.call(self.now)
        sent_at = self.now

        def answered() -> None:
            deliver_answer(lane.machine, command, allowed=allowed, sent_at=sent_at, at=self.now)
            self._turn(lane)

        self._later(at, answered)

    # -- results ------------------------------------------------------------------------------

    def _ended(self, encoded: EncodedResult) -> None:
        result: Result = orjson.loads(encoded.value)
        self.played.counts[f"{result['status']}/{result['reason']}"] += 1
        if "rule" in result:
            self.played.by_rule[result["rule"]] += 1
        if result["status"] == "accepted":
            self.played.calls.append((self.now, result))
        change = change_of_result(result, self.now, self._names, self._times)
        if change is not None:
            self._book.settle([change], {})
