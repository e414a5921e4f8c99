"""Two lanes, their books and the view over one contact store, driven step by step.

The world knows what was really sent. Its laws: no contact rule is exceeded in any window that ends
with a send, nothing that is sealed is displaced, and what was displaced is never sent. A step may
have others inside it, which happen between the reads and the write of the first.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from consumer.contacts.book import SEAL_SECONDS, ContactBook, Ownership
from consumer.contacts.store import ContactStore, StoreReading
from consumer.errors import StoreUnavailable
from consumer.policy.contacts.contact_rule import ContactRule
from consumer.policy.contacts.history import SETTLED
from consumer.policy.contacts.request import Decision, Request, Verdict
from consumer.policy.contacts.settling import Outcome, Settled
from consumer.policy.contacts.table import ContactRules
from tests.support.contacts import NOW, request

LANES = ("one", "two")
RESULTS = ("results", 0)
RULES = ContactRules(
    [
        ContactRule("everyone", 2, within=30.0),
        ContactRule("store", 1, within=20.0, per=("person", "store")),
        ContactRule("shared", 2, within=15.0, per=("store",), at_limit="wait"),
    ]
)
Step = tuple[Any, ...]
"""A method's name and its arguments."""

WEIGHTS = {
    "reserve": 6,
    "seal": 6,
    "send": 6,
    "result": 5,
    "view": 4,
    "again": 1,
    "tick": 4,
    "lose": 0.4,
    "recover": 6,
    "crash": 1,
}


def draw_step(draw: random.Random) -> Step:
    """Draw a step; those that lead to a send come often."""
    lane = draw.choice(LANES)
    (kind,) = draw.choices([*WEIGHTS], [*WEIGHTS.values()])
    arguments: dict[str, tuple[Any, ...]] = {
        "reserve": (
            lane,
            draw.choice(["a", "b", "c", "ab"]),
            draw.choice("xyz"),
            draw.choice([10, 50, 90]),
            draw.random() < 0.1,
        ),
        "result": (lane, draw.choice(["sent", "sent", "unknown", "released"])),
        "view": (lane, draw.randint(1, 5)),
        "again": (lane, draw.randint(0, 5)),
        "tick": (draw.choice([0.5, 4.0, 11.0, 15.0]),),
        "lose": (draw.random() < 0.5,),
        "recover": (),
    }
    return kind, *arguments.get(kind, (lane,))


class InterruptedStore:
    """A store into whose next write another step comes first."""

    def __init__(self, inner: ContactStore) -> None:
        self._inner = inner
        self.interruptions: list[Callable[[], None]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def read(self, keys: Sequence[str]) -> StoreReading:
        return self._inner.read(keys)

    def write(
        self, generation: str, versions: Mapping[str, int], values: Mapping[str, bytes | None]
    ) -> bool:
        while self.interruptions:
            self.interruptions.pop()()
        return self._inner.write(generation, versions, values)


@dataclass
class Invitation:
    """An invitation of the world and how far it is. `sealed_at`, `sent_at`: when that was."""

    request: Request
    lane: str
    state: str = "due"
    sealed_at: float = 0.0
    sent_at: float | None = None


@dataclass
class ContactWorld:
    """The state of everything but the store."""

    inner: ContactStore
    clock: list[float] = field(default_factory=lambda: [NOW])
    rules: ContactRules = RULES
    epochs: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LANES, 1))
    invitations: dict[str, Invitation] = field(default_factory=dict)
    log: list[Settled] = field(default_factory=list)
    displaced: set[str] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)
    """Invitations that a call of their lane is about, and lanes that are reporting."""
    fenced: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LANES, 0))

    def __post_init__(self) -> None:
        self.store = InterruptedStore(self.inner)
        self.books = [ContactBook(self.store, self.rules) for _ in LANES]
        self.recover()
        self.clock[0] += self.inner.grace
        self.recover()
        assert self.books[0].recovery(LANES).phase == "ready"

    @property
    def now(self) -> float:
        return self.clock[0]

    def step(self, step: Step, inside: Sequence[Step] = ()) -> None:
        """Do a step; one that the store refuses for now has no effect but its reads."""
        if inside:
            self.store.interruptions.append(lambda: self._all(inside))
        with suppress(StoreUnavailable):
            getattr(self, step[0])(*step[1:])
        self.store.interruptions.clear()

    def _all(self, steps: Sequence[Step]) -> None:
        for step in steps:
            self.step(step)

    def live(self, seed: int, steps: int, *, ticks: bool = True) -> None:
        """Do random steps, with others inside some of them. `ticks`: time may be moved."""
        draw = random.Random(seed)
        for _ in range(steps):
            step = draw_step(draw)
            count = draw.choice([0, 0, 0, 1, 2, 8])
            if ticks or step[0] != "tick":
                self.step(step, [draw_step(draw) for _ in range(count)])

        self._end_all()

    def _end_all(self) -> None:
        """Let all end and the view read all: then no reservation may be left, or it is for ever."""
        for found in self.invitations.values():
            self._end(found, "unknown" if found.state == "in flight" else "released")
        self.view(LANES[0], len(self.log))
        assert list(self.inner.keys("r:")) == []
        subjects = [key.removeprefix("s:") for key in self.inner.keys("s:")]
        histories = self.books[0].histories(subjects)
        kept = {one.state for history in histories.values() for one in history.contacts}
        assert kept <= SETTLED, "a contact that no result can end"

    def book(self, lane: str) -> ContactBook:
        return self.books[LANES.index(lane)]

    def owner(self, lane: str) -> Ownership:
        return Ownership(lane, self.epochs[lane])

    def of_state(self, *states: str, lane: str | None = None) -> list[Invitation]:
        return [
            found
            for found in self.invitations.values()
            if found.state in states
            and lane in {None, found.lane}
            and not {found.request.id, found.lane} & self.busy
        ]

    @contextmanager
    def during(self, *names: str) -> Iterator[None]:
        """Keep steps inside this one away from its invitations, or its lane."""
        new = set(names) - self.busy
        self.busy |= new
        try:
            yield
        finally:
            self.busy -= new

    # -- steps ------------------------------------------------------------------------------------

    def reserve(self, lane: str, persons: str, store: str, priority: int, zombie: bool) -> None:
        """A new invitation becomes due, and all others that are due are asked again (replays)."""
        number = len(self.invitations)
        keys = {"store": store}
        wanted = request(number, *persons, keys=keys, priority=priority, routed_at=self.now)
        self.invitations[wanted.id] = Invitation(wanted, lane)
        if zombie:
            former = Ownership(lane, self.epochs[lane] - 1)
            self.book(lane).reserve([wanted], former)
            assert self.fenced[lane] <= former.epoch, "a former owner was granted a reservation"
            return
        asked = self.of_state("due", "waiting", "granted", lane=lane)
        for found, decision in self._ask(lane, asked, self.book(lane).reserve, lambda one: one):
            for gone in decision.displaced:
                assert self.invitations[gone].state in {"granted", "due"}, "displaced once sealed"
                self.displaced.add(gone)
            if decision.verdict is Verdict.REFUSED:
                self._end(found, "released")
            else:
                granted = decision.verdict is Verdict.GRANTED
                found.state = "granted" if granted else "waiting"

    def seal(self, lane: str) -> None:
        """A call is about to leave with all that is granted."""
        batch, at = self.of_state("granted", lane=lane), self.now
        for found, decision in self._ask(lane, batch, self.book(lane).seal, lambda one: one.id):
            if decision.verdict is Verdict.GRANTED:
                assert found.request.id not in self.displaced
                found.state, found.sealed_at = "sealed", at
            elif decision.verdict is Verdict.REFUSED:
                self._end(found, "released")
            else:
                found.state = "due"

    def _ask(
        self,
        lane: str,
        batch: Sequence[Invitation],
        ask: Callable[[list[Any], Ownership], list[Decision]],
        of: Callable[[Request], Any],
    ) -> list[tuple[Invitation, Decision]]:
        """Return what a lane learns; one that was replaced meanwhile learns nothing."""
        owner = self.owner(lane)
        with self.during(*(found.request.id for found in batch)):
            decisions = ask([of(found.request) for found in batch], owner)
        same = self.epochs[lane] == owner.epoch
        return list(zip(batch, decisions, strict=True)) if same else []

    def send(self, lane: str) -> None:
        """The intent is committed and the call leaves, where the seal is still good."""
        for found in self.of_state("sealed", lane=lane):
            if self.now <= found.sealed_at + SEAL_SECONDS:
                found.state, found.sent_at = "in flight", self.now
                self._check_limits(found.request)
            else:
                found.state = "granted"

    def result(self, lane: str, outcome: Outcome) -> None:
        """The oldest call is answered. `released`: the vendor did not take it."""
        for found in self.of_state("in flight", lane=lane)[:1]:
            if outcome == "released":
                found.sent_at = None
            self._end(found, outcome)

    def _end(self, found: Invitation, outcome: Outcome) -> None:
        if found.state != "ended":
            found.state = "ended"
            self.log.append(Settled(found.request, outcome, found.sent_at or self.now))

    def view(self, lane: str, count: int) -> None:
        """The view of a process reads on."""
        book = self.book(lane)
        begin = book.offsets([RESULTS]).get(RESULTS, 0)
        end = min(len(self.log), begin + count)
        book.settle(self.log[begin:end], {RESULTS: end}, {RESULTS: begin})

    def again(self, lane: str, begin: int) -> None:
        """A view that was slow settles what another one has settled already."""
        book = self.book(lane)
        begin = min(begin, book.offsets([RESULTS]).get(RESULTS, 0))
        book.settle(self.log[begin : begin + 3], {RESULTS: begin}, {RESULTS: begin})

    def tick(self, seconds: float) -> None:
        """Time passes; a clock of the store's own is not moved."""
        self.clock[0] += seconds

    def lose(self, kept: bool) -> None:
        """The store loses all, or only its continuity."""
        self.displaced.clear()
        snapshot = getattr(self.inner, "snapshot", None)
        if kept and snapshot is not None:
            self.inner.restore(snapshot())  # type: ignore[attr-defined]  # the one in memory
        else:
            self.inner.wipe()

    def crash(self, lane: str) -> None:
        """Another owner takes a lane over: what was not in flight is read again."""
        if lane in self.busy:
            return
        self.epochs[lane] += 1
        self.busy -= {name for name, found in self.invitations.items() if found.lane == lane}
        for found in self.invitations.values():
            if found.lane == lane and found.state in {"granted", "sealed", "waiting"}:
                found.state = "due"
        self._report(lane)

    def _report(self, lane: str) -> None:
        owner = self.owner(lane)
        in_flight = [found.request for found in self.of_state("in flight", lane=lane)]
        with self.during(lane):
            self.book(lane).take_over(owner, in_flight)
        self.fenced[lane] = owner.epoch

    def recover(self) -> None:
        """Lanes report, the view reads to the end, and the store is ready."""
        book = self.books[0]
        for lane in book.recovery(LANES).missing - self.busy:
            for found in self.of_state("sealed", lane=lane):
                found.state = "due"  # sealed in another generation
            self._report(lane)
        if book.recovery(LANES).phase == "reading":
            end = {RESULTS: len(self.log)}
            begin = book.offsets([RESULTS]).get(RESULTS, 0)
            book.settle(self.log[begin:], end, {RESULTS: begin})
            book.finish_recovery(LANES, end)

    # -- laws -------------------------------------------------------------------------------------

    def _check_limits(self, last: Request) -> None:
        """Count by hand what was sent in each window that ends now, with this invitation."""
        sent = [found for found in self.invitations.values() if found.sent_at is not None]
        for rule in self.rules.rules:
            assert rule.within is not None
            for key in _keys(rule, last):
                inside = [
                    other
                    for other in sent
                    if key in _keys(rule, other.request)
                    and (other.sent_at or 0) > self.now - rule.within
                ]
                assert len(inside) <= rule.at_most, (rule.name, key, len(inside))


def _keys(rule: ContactRule, wanted: Request) -> Iterator[tuple[str | None, ...]]:
    others = tuple(wanted.keys[key] for key in rule.other_keys)
    for person in wanted.persons if rule.counts_persons else ("",):
        yield (person, *others)
