"""A lane that asks a contact store: `LaneWorld` with persons, rules, a store and its view.

The questions are answered by the program's own `ContactDesk` and `ContactBook`. All that is drawn
for it comes from a stream of its own.
"""

from __future__ import annotations

import datetime as dt
import heapq
import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from unittest.mock import patch

from consumer.contacts import changes
from consumer.contacts.book import ContactBook, Ownership
from consumer.contacts.changes import change_of_contact
from consumer.lane.lane import Lane
from consumer.lane.state.commands import (
    Batch,
    Command,
    Commit,
    ContactsAnswered,
    ReserveContacts,
    SealContacts,
    Send,
)
from consumer.lane.state.delay_steps import DelayedInvitation
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneSettings
from consumer.policy.contacts.contact_rule import ContactRule, Selector
from consumer.policy.contacts.duplicates import Duplicates
from consumer.policy.contacts.history import Facts
from consumer.policy.contacts.request import Decision, Request, Verdict
from consumer.policy.contacts.settling import Change
from consumer.policy.contacts.table import ContactRules
from consumer.policy.due_time import DueTime
from consumer.policy.quiet_hours import QuietHours, QuietTime
from consumer.policy.route_timing import RouteTiming
from consumer.records.call import Outcome
from consumer.records.contact_record import AnswerRecord, SuppressionRecord
from consumer.records.result import Result
from consumer.routing.decoding.times import TimeReader
from consumer.runtime.contacts import desk as desk_module
from consumer.runtime.contacts import gate as gate_module
from consumer.runtime.contacts import state as state_module
from consumer.runtime.contacts.desk import ContactDesk
from consumer.runtime.contacts.state import ContactState
from consumer.wiring.contacts import ContactConfig, RouteContact
from tests.simulation.contacts.faulty_store import GRACE, FaultyStore
from tests.simulation.contacts.feed import SimFeed
from tests.simulation.contacts.rival import LANE as RIVAL
from tests.simulation.contacts.rival import Rival
from tests.simulation.contacts.view import SimView
from tests.simulation.lane_world import History, LaneWorld, Record
from tests.simulation.world.doubles import Mute
from tests.support.lanes import NOW, SILENCE, invitation, letter, results

LANE = "cloud"
TAGS = ("nps", "store", "care")
WITHOUT_FEED = 0.7
MOST_WANTED = 3
NOTICED_AFTER = 2.5
"""Seconds in which the lane hears of a restart, while the store's answer is on its way."""
OTHERS_HURRY = 0.5
"""Worlds in which view and rival write right when another process is about to."""
FAULTS_END = 400.0
"""Seconds after which the store is well and the lane keeps its owner. A handover is drawn at each
step, and the view makes five steps a second: with one permit in half a minute, each owner would
spend its first on a login and be gone before the call."""

_times = TimeReader()


@dataclass(frozen=True, slots=True)
class Sent:
    """An invitation whose call left. `seals`: how many the store had granted by then."""

    at: float
    id: str
    call: str
    seals: int


@dataclass
class ContactHistory:
    """What the store granted and the vendors got."""

    requests: dict[str, Request] = field(default_factory=dict)
    sealed: list[tuple[float, str]] = field(default_factory=list)
    """When, and which invitation, in the store's order."""
    sent: list[Sent] = field(default_factory=list)
    acted: set[tuple[str, str]] = field(default_factory=set)
    """Invitation and call on which the vendor acted."""
    reasons: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    defects: int = 0


class WatchedBook(ContactBook):
    """Tells the history what is asked and granted."""

    def __init__(
        self,
        store: FaultyStore,
        rules: ContactRules,
        history: ContactHistory,
        now: Callable[[], float],
    ) -> None:
        super().__init__(store, rules)
        self._history, self._now = history, now

    def reserve(
        self, requests: Sequence[Request], owner: Ownership | None = None
    ) -> list[Decision]:
        """See `ContactBook`."""
        said = super().reserve(requests, owner)
        self._history.requests.update((request.id, request) for request in requests)
        return said

    def seal(self, invitations: Sequence[str], owner: Ownership | None = None) -> list[Decision]:
        """See `ContactBook`."""
        said = super().seal(invitations, owner)
        self._history.sealed += [
            (self._now(), name)
            for name, decision in zip(invitations, said, strict=True)
            if decision.verdict is Verdict.GRANTED
        ]
        return said


class DefectLog(Mute):
    """In the place of the loggers: counts defects."""

    def __init__(self, history: ContactHistory) -> None:
        self._history = history

    def error(self, *_: object, **__: object) -> None:
        """Count."""
        self._history.defects += 1


class _Answers:
    """A desk's inbox: each answer takes a while, and a crash of the lane loses it."""

    def __init__(self, world: ContactLaneWorld, epoch: int) -> None:
        self._world, self._epoch = world, epoch

    def put(self, event: ContactsAnswered) -> None:
        """Deliver an answer later, to the lane that asked."""
        self._world.deliver(event, self._epoch)


class ContactLaneWorld(LaneWorld):
    """Runs one seed."""

    def __init__(self, seed: int, lane_type: type[Lane] = Lane) -> None:
        self.chance = chance = random.Random(f"contacts of {seed}")
        self.quiet = math.inf, math.inf
        super().__init__(seed, lane_type)
        self.contacts = ContactHistory()
        self.rules = self._rules()
        self._extras = self._draw_persons()
        self.eligible_from: dict[str, Any] = {
            f"i{origin}": extra["eligible_from"]
            for origin, extra in self._extras.items()
            if "eligible_from" in extra
        }
        self._waits_for: dict[int, str] = {}
        self._background: list[tuple[float, int, Callable[[], None]]] = []
        self._behind = itertools.count()
        self._slow = chance.choice([0.05, 0.3, 3.0])
        self.store = FaultyStore(lambda: self.now, random.Random(chance.random()))
        self.book = WatchedBook(self.store, self.rules, self.contacts, lambda: self.now)
        self.state = ContactState(Mute(), lambda: self.now)  # type: ignore[arg-type]
        self.view = SimView(
            self.book, self.state, (LANE, RIVAL), random.Random(chance.random()), lambda: self.now
        )
        self.rival = Rival(
            self.book,
            random.Random(chance.random()),
            lambda: self.now,
            self._later,
            self._settled,
            self._rival_sent,
        )
        self.store.meanwhile = self._race
        if random.Random(f"hurry of {seed}").random() < OTHERS_HURRY:
            self.store.each_time = self._hurry
        self._races = chance.choice([0, 5, 20])
        self._crashes_together = random.Random(f"crashes of {seed}").choice([0, 0, 0, 1, 3])
        self._silent = set[str]()
        self._wanted = 0
        self._guarded = -1  # crashes after which the process that runs began
        self._restarts = chance.choice([0, 0, 1, 2])
        self.desk: ContactDesk
        self.feed = self._make_feed(random.Random(f"feed of {seed}"))
        self._plan()

    # -- making the world ---------------------------------------------------------------------

    def _settings(self) -> LaneSettings:
        timeout = self.chance.choice([10.0, 30.0])
        usual = super()._settings()
        return replace(usual, contacts=True, call_timeout=timeout, routes=self._routes())

    def _routes(self) -> dict[str, RouteTiming]:
        """Some worlds have a quiet time of a minute or two."""
        if self.chance.random() < 0.7:
            return {}
        begins = NOW + self.chance.uniform(10.0, 200.0)
        self.quiet = begins, begins + self.chance.uniform(20.0, 150.0)
        start, end = (dt.datetime.fromtimestamp(int(at), dt.UTC).time() for at in self.quiet)
        return {"store": RouteTiming(DueTime(quiet=QuietHours((QuietTime(start, end),))))}

    def _rules(self) -> ContactRules:
        chance = self.chance
        within = chance.choice([20.0, 45.0, 120.0])
        nps = Selector(tags=frozenset({"nps"}))
        known = [
            ContactRule("everyone", chance.randint(1, 3), within),
            ContactRule("nps", 1, within * 2, applies_to=nps),
            ContactRule("nps-gap", 1, within / 2, applies_to=nps, counts=Selector()),
            ContactRule("b", 1, within, applies_to=Selector(campaigns=frozenset({"b"}))),
            ContactRule("waits", 1, within, at_limit="wait"),
            ContactRule("answered", 1, within, counts=Selector(), counts_of="responses"),
            ContactRule("store", 1, within, per=("person", "store.id")),
            ContactRule("shop", 2, within, per=("store.id",)),
            ContactRule(
                "care",
                1,
                within / 4,
                applies_to=Selector(tags=frozenset({"care"})),
                instead_of=("everyone",),
            ),
        ]
        rules = chance.sample(known, chance.choice([1, 1, 2, 4]))
        repeats = {"d": Duplicates("store.id", within)} if chance.random() < 0.2 else {}
        return ContactRules(rules, duplicates=repeats, keep=within * 8)

    def _draw_persons(self) -> dict[int, dict[str, object]]:
        """What each invitation has beside the recipient: some share one of several identities."""
        chance = self.chance
        mails = chance.randint(2, 20)
        found: dict[int, dict[str, object]] = {}
        earlier: list[Record] = []
        for record in self.records:
            if record.campaign is None:
                continue
            persons = [record.recipient]
            if chance.random() < 0.5:
                persons.append(f"m{chance.randrange(mails)}")
            extra: dict[str, object] = {
                "person": persons,
                "tags": [tag for tag in TAGS if chance.random() < 0.4],
                "keys": {"store.id": chance.choice(["s1", "s2", "s3", None])},
                "priority": chance.choice([10, 50, 50, 90]),
            }
            if self.settings.routes and chance.random() < 0.3:
                extra["eligible_from"] = record.arrived + chance.uniform(0.0, 90.0)
            if chance.random() < 0.15:
                extra["contact"] = chance.choice(["exempt", "off"])
            if earlier and chance.random() < 0.04:
                repeated = chance.choice(earlier).origin
                same = {key: found[repeated][key] for key in ("person", "tags", "keys")}
                extra |= {**same, "resend_of": f"i{repeated}"}
            elif "contact" not in extra:
                earlier.append(record)
            found[record.origin] = extra
        return found

    def _people(self) -> list[str]:
        return sorted({name for extra in self._extras.values() for name in extra["person"]})  # type: ignore[attr-defined]

    def _make_feed(self, rng: random.Random) -> SimFeed | None:
        """Some worlds have a feed of opt-outs that is behind."""
        if rng.random() < WITHOUT_FEED:
            return None
        clock = _WorldClock(self)
        return SimFeed(rng, self._people(), self.view, self._later, clock)  # type: ignore[arg-type]

    def _plan(self) -> None:
        chance = self.chance
        length = self.records[-1].arrived - NOW + 60.0
        people = self._people()
        for number in range(chance.choice([0, 10, 40])):
            at = NOW + chance.uniform(0.0, length)
            self._later(at, partial(self.rival.invite, self._rival_request(number, at, people)))
        for number in range(chance.choice([0, 2, 8])):
            at = NOW + chance.uniform(0.0, length)
            self._later(at, partial(self._person_says, number, chance.choice(people)))
        for _ in range(chance.randint(0, 3)):
            at = NOW + chance.uniform(0.0, min(length, FAULTS_END))
            self._later(at, partial(self._break_store, chance.choice(["down", "restart"])))
        for _ in range(chance.randint(0, 4)):
            self._later(NOW + chance.uniform(0.0, length), self.store.keep_snapshot)
            self._later(NOW + chance.uniform(0.0, length), self.view.crash)
        self._later(NOW + FAULTS_END, self._be_well)
        self._later(NOW, self._turn_view)
        self._later(NOW, self._report_rival)

    def _rival_request(self, number: int, at: float, people: list[str]) -> Request:
        chance = self.chance
        tags = tuple(tag for tag in TAGS if chance.random() < 0.4)
        return Request(
            f"x{number}",
            tuple(chance.sample(people, min(len(people), chance.randint(1, 2)))),
            at,
            Facts("store", "b", "sms", "pisano", tags),
            {"store.id": chance.choice(["s1", "s2", None])},
            chance.choice([10, 50, 90]),
        )

    # -- faults and other writers -------------------------------------------------------------

    def _later(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._background, (when, next(self._behind), what))

    def _break_store(self, how: str) -> None:
        if how == "restart":
            how = self.store.restart()
        self.contacts.faults[how] += 1
        self.store.down_until = self.now + self.chance.choice([0.0, 2.0, 40.0])

    def _hurry(self, keys: Collection[str]) -> None:
        self.rival.hurry(_people_in(keys))
        self.view.turn()

    def _race(self, keys: Collection[str]) -> None:
        """The rival invites a person whose history another process is about to write."""
        people = _people_in(keys)
        if people and self._races > 0:
            self._races -= 1
            request = self._rival_request(1_000 + self._races, self.now, people)
            self.rival.invite(request, at_once=True)

    def _be_well(self) -> None:
        self.store.down_until = 0.0
        self.store.loses_answers = False
        self.handovers = 0.0

    def _turn_view(self) -> None:
        self.view.turn()
        self._later(self.now + self.chance.uniform(0.1, 1.5), self._turn_view)

    def _report_rival(self) -> None:
        if RIVAL in self.state.missing_lanes or self.state.recovery is None:
            self.rival.report()
        self._later(self.now + 1.0, self._report_rival)

    def _person_says(self, number: int, person: str) -> None:
        """Opt out, opt in again, or answer a survey."""
        at = self.now
        if number % 3 == 2:
            self.view.write(
                ("contacts", 0), change_of_contact(AnswerRecord(version=1, person=person, at=at))
            )
            return
        removed = self.chance.random() < 0.3
        record = SuppressionRecord(version=1, person=person, at=at, removed=removed)
        self.view.write(("contacts", 0), change_of_contact(record))

    def _settled(self, change: Change) -> None:
        self.view.write(("results", self.chance.randrange(2)), change)

    # -- running ------------------------------------------------------------------------------

    def run(self) -> History:
        """See `LaneWorld`; then until the view has read everything."""
        log = DefectLog(self.contacts)
        with ExitStack() as patches:
            for module in (desk_module, state_module, gate_module):
                patches.enter_context(patch.object(module, "log", log))
            if self.feed is not None:
                patches.enter_context(self.feed.answering())
            history = super().run()
            for _ in range(2_000):
                if self.rival.open == 0 and self.view.at_end and self._is_well():
                    return history
                self.now = max(self.now, self._background[0][0])
                self._run_background()
                self.desk.report(self.lane)
        raise AssertionError("the view never came to rest")

    def _is_well(self) -> bool:
        return not self.store.loses_answers

    def _take_over(self) -> None:
        super()._take_over()
        if self.feed is not None and self._guarded != self.history.crashes:
            self._guarded = self.history.crashes
            self.feed.guard(self.book, self.state)
        routes = {"store": RouteContact(None, "d" if self.rules.duplicates else None)}
        config = ContactConfig(self.book, self.settings.campaigns, routes)
        self.desk = ContactDesk(
            config,
            Ownership(LANE, self.epoch),
            self._submit,
            _Answers(self, self.epoch),  # type: ignore[arg-type]
            self.state,
            _WorldClock(self),  # type: ignore[arg-type]
        )

    def _turn(self) -> bool:
        self._run_background()
        self.desk.report(self.lane)
        return super()._turn()

    def _stay_down(self, seconds: float) -> None:
        """View and rival go on; the store may have crashed together with the lane."""
        until = self.now + seconds
        if self._crashes_together > 0 and self.now < NOW + FAULTS_END:
            self._crashes_together -= 1
            self._break_store("restart")
        while self._background[0][0] <= until:
            self.now = max(self.now, self._background[0][0])
            self._run_background()
        self.now = until

    def _run_background(self) -> None:
        while self._background and self._background[0][0] <= self.now:
            heapq.heappop(self._background)[2]()

    def _next_moment(self) -> float:
        return min(super()._next_moment(), self._background[0][0])

    def _feed(self, record: Record) -> None:
        if record.campaign is None:
            self.lane.unreadable(letter(record.offset))
            return
        extra = self._extras[record.origin]
        made = invitation(record.origin, record.recipient, record.campaign, record.expires_at)
        made |= extra | {"waits_for": self._waits_for.get(record.origin, "")}  # type: ignore[typeddict-item]
        pending = PendingInvitation.of(record.origin, made, record.arrived)
        pending.offset, pending.attempt, pending.delays = (
            record.offset,
            record.attempt,
            record.delays,
        )
        self.lane.arrived(pending, self.now)

    def _comes_back(self, each: DelayedInvitation) -> None:
        self._waits_for[int(each.invitation.id[1:])] = each.waits_for
        super()._comes_back(each)

    # -- questions ----------------------------------------------------------------------------

    def _carry_out(self, command: Command) -> None:
        if isinstance(command, ReserveContacts | SealContacts):
            self._may_crash()
            self.desk.ask(command)
            return
        if isinstance(command, Send):
            self._sent(command.batch)
        super()._carry_out(command)

    def _submit(self, ask: Callable[[], None]) -> None:
        epoch, lives = self.epoch, self.chance.random() < 0.5

        def reach() -> None:
            if self.epoch == epoch or lives:
                ask()

        self._at(self.now + self.chance.expovariate(1 / self._slow), reach)

    def deliver(self, event: ContactsAnswered, epoch: int) -> None:
        """Deliver an answer after a while; the store may restart while it is on its way."""
        slowly = 0.0
        if event.sealing and self._restarts > 0 and self.chance.random() < 0.1:
            self._restarts -= 1
            self.contacts.faults[self.store.restart()] += 1
            self._want_the_same_persons()
            slowly = NOTICED_AFTER

        def arrive() -> None:
            if self.epoch == epoch:
                self.lane.contacts_answered(event, self.now)
                self._may_crash()

        self._at(self.now + slowly + self.chance.expovariate(1 / self._slow), arrive)

    def _want_the_same_persons(self) -> None:
        """The vendor is silent on the call whose seal was on its way while the store restarted, and
        the rival wants its persons, once the new generation may grant them."""
        names = [pending.id for pending in self.lane.with_vendor[-MOST_WANTED:]]
        self._silent.update(names)
        for number, name in enumerate(names):
            own = self.contacts.requests.get(name, Request(name, (), self.now))
            facts = Facts("store", "b", "sms", "pisano", own.facts.tags)
            same = Request(f"y{self._wanted}", own.persons, self.now, facts, own.keys, 90)
            self._wanted += 1
            self._later(self.now + GRACE + 1.0 + number, partial(self.rival.invite, same))

    def _send(self, batch: Batch) -> None:
        if self._silent.isdisjoint(pending.id for pending in batch.invitations):
            super()._send(batch)
            return
        epoch, sent_at = self.epoch, self.now
        self._silent.clear()

        def end() -> None:
            if self.epoch == epoch:
                self.lane.answered(batch.id, SILENCE, sent_at=sent_at, at=self.now)

        self._at(self.now + 0.5, partial(self._judge_unheard, batch))
        self._at(self.now + self.settings.call_timeout, end)

    def _judge_unheard(self, batch: Batch) -> None:
        self._judge(batch)

    def transact(self, commit: Commit) -> None:
        """See `LaneWorld`: the view hears of the results."""
        super().transact(commit)
        for result in results(commit.results):
            self.contacts.reasons[result["reason"]] += 1
            self._result(result)

    def _result(self, result: Result) -> None:
        names = partial(_names, repeats=bool(self.rules.duplicates))
        change = changes.change_of_result(result, self.now, names, _times)
        if change is not None:
            self._settled(change)

    # -- what the checker will want to know ---------------------------------------------------

    def _rival_sent(self, name: str) -> None:
        self.contacts.sent.append(Sent(self.now, name, name, len(self.contacts.sealed)))
        self.contacts.acted.add((name, name))

    def _sent(self, batch: Batch) -> None:
        seals = len(self.contacts.sealed)
        self.contacts.sent += [
            Sent(self.now, pending.id, batch.id, seals) for pending in batch.invitations
        ]

    def _judge(self, batch: Batch) -> Outcome:
        first = batch.invitations[0].id
        before = self.history.accepted[first]
        outcome = super()._judge(batch)
        if self.history.accepted[first] > before:
            self.contacts.acted |= {(pending.id, batch.id) for pending in batch.invitations}
        return outcome


class _WorldClock:
    """The clock of the lane's process."""

    def __init__(self, world: ContactLaneWorld) -> None:
        self._world = world

    def now(self) -> float:
        """Return epoch seconds."""
        return self._world.now

    steady = now


def _people_in(keys: Collection[str]) -> list[str]:
    return sorted(key[2:] for key in keys if key.startswith("s:") and "|" not in key)


def _names(_route: str, *, repeats: bool) -> tuple[str | None, str | None]:
    return None, "d" if repeats else None
