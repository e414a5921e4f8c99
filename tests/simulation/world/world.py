"""From one seed: processes, traffic, vendors, faults; and the whole history of what happened."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import orjson

from consumer.lane.state.commands import Batch
from consumer.lane.state.delay_steps import STEPS
from tests.simulation.kafka.broker import FakeBroker
from tests.simulation.kafka.log import FakeRecord, Transaction
from tests.simulation.kafka.scheduler import Scheduler, Task
from tests.simulation.kafka.settings import BrokerSettings
from tests.simulation.world import features, foreign, rules, sickness, tuning
from tests.simulation.world.answer_bytes import AnswerBytes
from tests.simulation.world.changes import STAYS
from tests.simulation.world.contacts import FleetContacts
from tests.simulation.world.doubles import Story
from tests.simulation.world.machines import Machines
from tests.simulation.world.mischief import Mischief
from tests.simulation.world.operators import Operators
from tests.simulation.world.pausing import Pausing
from tests.simulation.world.process import SimProcess, Watch
from tests.simulation.world.sickness import Sickness
from tests.simulation.world.traffic import Burst, Expected, bursts, source_of
from tests.simulation.world.vendor import Truth, VendorDouble
from tests.simulation.world.wire import Wire

LONGEST = 20_000.0
"""Simulated seconds within which a world must come to rest."""

STUCK_AFTER = 2_000.0
"""Seconds without a commit after which nothing more will come."""

MOST_STEPS = 60_000
"""Crash points that a world may pass; the usual is 3,000. Beyond it a task runs in circles."""

RECORD_SECONDS = 1.5
"""What each record of a transaction takes where Kafka's quota is low: a poll of more than 33, with
what follows from them, outlasts a transaction."""

FRESH_SECONDS = 5.0
"""How long after it was sealed a call may leave (the runtime's own bound, stated here again)."""

LOOK_EVERY = 5.0
QUIET = 40.0
"""Seconds after the last result in which nothing more may be said."""

CHANGES_LAST = 60.0
"""Seconds after the traffic within which the last change of the config is taken back."""

GIVEN_UP_AFTER = 60.0
"""Seconds of calm after which a world that has lost records is judged: it cannot come to rest."""


@dataclass(slots=True)
class Ended:
    """A committed transaction, the `order`-th of all. `process` is None if none waited for it."""

    transaction: Transaction
    order: int
    process: str | None
    calls: int
    """How many calls had been asked for by then."""


class FleetWorld:
    """Runs one seed; `tell` keeps the story. `contacts`: there are contact rules."""

    def __init__(self, seed: int, *, tell: bool = False, contacts: bool = False) -> None:
        self.seed = seed
        self.rng = rng = random.Random(seed)
        self.features = features.draw(seed)
        self.scheduler = Scheduler(self._child())
        self.contacts: FleetContacts | None = None
        if contacts:
            self.contacts = FleetContacts(seed, self.scheduler)
            self.features = features.with_contacts(self.features, self.contacts.rng)
        self.began = self.scheduler.now
        self.story = Story(self.scheduler, tell)
        self.sickness: Sickness | None = None
        if self.features.sick:
            self.sickness = sickness.draw(random.Random(f"sickness of {seed}"))
        self.sure = rng.random() < 0.6 or self.features.sick or contacts
        self.lanes = rules.lanes(rng, sure=self.sure)
        if self.features.sick:
            self.lanes = sickness.with_one_limit(self.lanes)
        if self.features.drops_paused:
            self.lanes = rules.with_little_memory(self.lanes)
        unkind = rng.random() < 0.4 and not self.features.sick
        settings = _broker_settings(unkind=unkind, eager=self.features.eager_client)
        slow = RECORD_SECONDS if self.features.slow_broker else 0.0
        settings = replace(settings, keeps_records=self.features.keeps_records, record_seconds=slow)
        self.broker = FakeBroker(self.scheduler, self._child(), settings)
        gone = self.features.change == "campaign_gone"
        self.expected = Expected(
            unsure=frozenset({"b"} if gone else ()),
            firewall=self.features.refused_customer,
            sick=self.sickness.sick if self.sickness else None,
        )
        self._setup = self._setup_of(None)
        self.truth = Truth()
        self.watch = Watch(self.scheduler)
        self.ended: list[Ended] = []
        self.usurped: list[str] = []
        self.rested_at: float | None = None
        self._closed_until = 0.0
        self.at_rest = self.spins = self._stopping = False
        self.wire = self._wire()
        self._steps = 0
        self._running: dict[str, SimProcess] = {}  # instance → its process
        self._runs: Counter[str] = Counter()
        self._tuning = tuning.draw(rng, self.story, seed)
        start, length = self.scheduler.now + 5.0, rng.uniform(15.0, 100.0)
        self.mischief = Mischief(
            self._child(),
            self.broker,
            self.story,
            self._running,
            self._start_later,
            calm_from=start + length + self._calm_after(),
            unkind=unkind,
        )
        if self.features.drops_paused:
            self.watch.paused = self.mischief.paused
        # A stream of its own: seeds without wrong clocks are the worlds that they were.
        self.machines = Machines(random.Random(f"clocks of {seed}"), self._running, self.story)
        if self.features.sick or contacts:
            self.machines.wild = False
        self._create_topics()
        self.operators: Operators | None = None
        if self.features.commanded:
            commanding = random.Random(f"commands of {seed}")
            self.operators = Operators(
                commanding,
                self.broker,
                self.story,
                self._running,
                self.expected,
                sure=not self.machines.wild,
            )
        self.pausing: Pausing | None = None
        if self.features.paused and not self.machines.wild:
            self.pausing = Pausing(random.Random(f"pauses of {seed}"), self.broker, self.story)
            if self.operators is None:
                self.broker.create_topic(rules.config().topics.commands)
        self.left: list[tuple[float, Batch]] = []
        self._observe()
        self._plan(start, length)

    def _calm_after(self) -> float:
        """Seconds of faults after the traffic."""
        if self.features.forgets == "ladder":
            return 2 * CHANGES_LAST
        return CHANGES_LAST if self.features.change or self.features.forgets else 10.0

    def _child(self) -> random.Random:
        return random.Random(self.rng.getrandbits(64))

    def _wire(self) -> Wire:
        vendors = {
            name: VendorDouble(lane, self.truth, self._child(), noise=not self.sure)
            for name, lane in self.lanes.items()
        }
        for vendor in vendors.values():
            vendor.odd = self.features.odd_answers
            vendor.firewall = self.expected.refused if self.features.refused_customer else set()
        if self.sickness is not None:
            vendors["radar"].be_well()
            vendors["cloud"].be_well(self.sickness)
        if self.features.partly:
            vendors["cloud"].partly = "b"
        vendors[rules.SPARE] = vendors["cloud"].sibling(self._child())
        slow = self.rng.choice([0.5, 1.2, 2.0])
        made = Wire(
            self.scheduler, self._child(), vendors, self.truth, self.story, slow, self._left
        )
        made.calm = self.features.sick
        if self.features.answer_bytes:
            made.bytes = AnswerBytes(random.Random(f"bytes of {self.seed}"))
        return made

    def _create_topics(self) -> None:
        topics = rules.config().topics
        for name, partitions in rules.INPUTS.items():
            self.broker.create_topic(name, partitions)
        for name in (topics.results, topics.dead_letters):
            self.broker.create_topic(name, 2)
        if self.contacts is not None:
            self.broker.create_topic(topics.contacts)
        for name in (topics.replayed, *(topics.delayed(step) for step in STEPS)):
            self.broker.create_topic(name)
        for lane in rules.ALL_LANES:
            self.broker.create_topic(topics.invitations(lane))
            self.broker.create_topic(topics.checkpoints(lane))

    def _observe(self) -> None:
        """Hear of every commit, in order, and of every crash point."""
        coordinator: Any = self.broker.coordinator
        end = coordinator._end

        def told(holder: Any, transaction: Transaction, *, commit: bool) -> None:
            end(holder, transaction, commit=commit)
            if commit:
                self._committed(transaction)

        coordinator._end = told
        self.scheduler.on_point = self._point

    def _plan(self, start: float, length: float) -> None:
        for burst in bursts(self.rng, start, length):
            self.scheduler.at(burst.at, lambda burst=burst: self._write(burst))  # type: ignore[misc]
        if not self.features.sick:
            self.mischief.plan(start, length)
        for when in self.machines.times(start, length):
            self.scheduler.at(when, self.machines.step)
        self._plan_features(start, length)
        if self.contacts is not None:
            self.contacts.plan(start, length)
        if self.operators is not None:
            self.operators.plan(start, length)
        if self.pausing is not None:
            self.pausing.plan(start, length)
        for number in range(self.rng.choice([2, 2, 3])):
            late = self.rng.choice([0.0, 0.0, 8.0]) * self.rng.random()
            self._start_later(str(number), self.scheduler.now + late)
        self.scheduler.at(start + length, self._look)

    def _plan_features(self, start: float, length: float) -> None:
        if self.features.eager_client:
            self.mischief.shake(start, length, drops=self.features.drops_members)
        if self.features.change is not None:
            went = start + self.rng.uniform(0.1, 0.8) * length
            self.scheduler.at(went, lambda: self._go_over(self.features.change))
            if self.features.change not in STAYS:
                back = went + self.rng.uniform(20.0, 0.5 * CHANGES_LAST)
                if self.features.forgets_input:
                    self.scheduler.at(back, self._forget_input)
                self.scheduler.at(back + 0.1, lambda: self._go_over(None))
        if self.features.foreign_records:
            for _ in range(3):
                self.scheduler.at(start + self.rng.uniform(0.0, length), self._write_foreign)
        if self.features.forgets is not None:
            when = start + self.rng.uniform(0.4, 1.0) * length
            if self.features.forgets == "ladder":  # its shortest step takes a minute
                when = start + length + self.rng.uniform(0.3, 1.5) * CHANGES_LAST
            self.scheduler.at(when, self._stand_still)
        if self.features.lost_input:
            self.scheduler.at(start + self.rng.uniform(0.0, length), self._lose_input)

    # -- running ------------------------------------------------------------------------------

    def run(self) -> FleetWorld:
        """Until everything is at rest and every process has ended, or too late."""
        with tuning.in_place(self._tuning, self.seed):
            try:
                self.scheduler.run(self.scheduler.now + LONGEST)
            finally:
                self.scheduler.close()
                if self.wire.bytes is not None:
                    self.wire.bytes.close()
        self._see()
        return self

    def _point(self, task: Task, label: str) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            self.spins = True
            self.scheduler.stop()
        self.mischief.point(task, label)

    def _write(self, burst: Burst) -> None:
        for event in burst.events:
            offset = self.broker.append(event.topic, event.partition, event.value)
            self.expected.event(event, offset)

    def _go_over(self, change: str | None) -> None:
        """Another config is rolled out: replicas reload or restart, one after the other."""
        self._setup = self._setup_of(change)
        self.story.tell("world", "config", change=change)
        for process in list(self._running.values()):
            reaches = partial(self._reach, process, restart=self.rng.random() < 0.4)
            self.scheduler.at(self.scheduler.now + self.rng.uniform(0.0, 15.0), reaches)

    def _setup_of(self, change: str | None) -> rules.Setup:
        contacts = self.contacts is not None
        return rules.setup(change, self.lanes, partly=self.features.partly, contacts=contacts)

    def _reach(self, process: SimProcess, *, restart: bool) -> None:
        """The rollout reaches a replica, if it still runs."""
        if self._running.get(process.instance) is process:
            process.terminate() if restart else process.follow(self._setup)

    def _forget(self, group: str, topics: Sequence[str] | None = None) -> None:
        done = self.broker.group(f"{rules.APPLICATION}.{group}").forget(topics)
        self.story.tell("world", "forgets", group=group, topics=topics, done=done)

    def _forget_input(self) -> None:
        """Forget the input that left, as Kafka does after a week."""
        self._forget("router", ("crm",))

    def _stand_still(self) -> None:
        """Stop the whole fleet until the broker has forgotten a group's offsets."""
        self._closed_until = self.scheduler.now + self.rng.uniform(30.0, 90.0)
        for process in list(self._running.values()):
            process.terminate()
        group = self.features.forgets or ""
        self.scheduler.at(self._closed_until, lambda: self._forget(group))

    def _write_foreign(self) -> None:
        if not self.broker.group(f"{rules.APPLICATION}.router").offsets:
            # A dead letter of a lane makes the router's first start a case of forgotten offsets.
            self.scheduler.at(self.scheduler.now + 5.0, self._write_foreign)
            return
        topics = rules.config().topics
        self.expected.letters |= set(foreign.write(self.broker, topics, rules.LANES, self.rng))

    def _lose_input(self) -> None:
        """Records of an input that are deleted before anything can have read them."""
        topic, partition = "pos", self.rng.randrange(rules.INPUTS["pos"])
        if (topic, partition) not in self.broker.group(f"{rules.APPLICATION}.router").offsets:
            self.scheduler.at(self.scheduler.now + 5.0, self._lose_input)  # no first reading yet
            return
        for _ in range(self.rng.randint(1, 5)):
            end = self.broker.append(topic, partition, b"never read") + 1
        self.broker.delete_records(topic, partition, end)
        self.expected.lost = topic, partition
        self.story.tell("world", "input lost", topic=topic, partition=partition, before=end)

    def _start_later(self, instance: str, when: float) -> None:
        self.scheduler.at(when, lambda: self._start(instance))

    def _start(self, instance: str) -> None:
        if self.scheduler.now < self._closed_until:
            self._start_later(instance, self._closed_until + self.rng.uniform(0.1, 5.0))
            return
        self._runs[instance] += 1
        name = f"p{instance}.{self._runs[instance]}"
        self.story.tell(name, "starts")
        # Our processes' clocks and the vendor's servers share the skew that the lanes allow for.
        spread = min(lane.skew for lane in self.lanes.values()) / 5 if self.sure else 8.0
        process = self._running[instance] = SimProcess(
            name,
            instance,
            wire=self.wire,
            watch=self.watch,
            clients=self.broker.clients(name),
            setup=self._setup,
            rng=self._child(),
            clock_offset=self.rng.uniform(-spread, spread) + self.machines.wrong_by(instance),
            ended=self._process_ended,
            contacts=self.contacts,
            paused=self.pausing is not None,
        )
        if self.operators is not None or self.pausing is not None:
            process.hear_commands()
        if self.pausing is not None:
            process.hear_pauses()

    def _process_ended(self, process: SimProcess) -> None:
        self.story.tell(process.name, "ended")
        self._running.pop(process.instance, None)
        if not self._stopping:
            self._start_later(process.instance, self.scheduler.now + self.rng.uniform(0.1, 15.0))
        elif not self._running:
            self._rest()

    def _rest(self) -> None:
        """All have ended in peace. A replica that starts then finds its place and does nothing."""
        again = self.features.restart_at_rest and not (self.lax or self.expected.may_lack)
        if again and self.rested_at is None:
            self.rested_at = self.scheduler.now
            self._start_later("0", self.scheduler.now + self.rng.uniform(0.1, 60.0))
            self.scheduler.at(self.scheduler.now + 60.0 + QUIET, self._stop)
            return
        self.at_rest = True
        self.scheduler.stop()

    def _look(self) -> None:
        """Is everything said and done? Then wait a while, stop all processes, and judge."""
        now = self.scheduler.now
        if self.ended and now - (self.ended[-1].transaction.decided_at or now) > STUCK_AFTER:
            self.scheduler.stop()
        elif now >= self.mischief.calm_from and self._running and self._done():
            self.scheduler.at(now + QUIET, self._stop)
        else:
            self.scheduler.at(now + LOOK_EVERY, self._look)

    @property
    def lax(self) -> bool:
        """Whether not all can come to a result: a stage has said that it does not know where to
        read on."""
        forgets = self.features.forgets or self.features.forgets_input
        return bool(forgets and self.watch.unclear)

    def _done(self) -> bool:
        if self.lax:
            return self.scheduler.now >= self.mischief.calm_from + GIVEN_UP_AFTER
        if self.operators is not None and self.operators.waits:
            return False
        if self.pausing is not None and self.pausing.waits:
            return False
        return self._all_visible()

    def _all_visible(self) -> bool:
        """Whether as many results and dead letters are committed as are expected."""
        topics = rules.config().topics
        self._see()
        wanted = len(self.expected.invitations) + len(self.expected.letters)
        logs = [
            partition.history
            for topic in (topics.results, topics.dead_letters)
            for partition in self.broker.partitions(topic)
        ]
        if self.expected.may_lack:
            return self._others_visible()
        if sum(map(len, logs)) < wanted:
            return False
        return sum(record.state == "committed" for log in logs for record in log) >= wanted

    def _others_visible(self) -> bool:
        """The same, but for what may lack. Of a customer that a firewall refuses, other calls must
        acquit the account after each try, and at the end there are none: it waits until it
        expires. Dead letters of a partition that lost records may lack too."""
        topics = rules.config().topics
        known = {
            orjson.loads(each.value or b"{}")["id"] for each in self._committed_in(topics.results)
        }
        letters = {source_of(each) for each in self._committed_in(topics.dead_letters)}
        return self.expected.invitations.keys() - self.expected.may_lack <= known and all(
            place in letters or place[:2] == self.expected.lost for place in self.expected.letters
        )

    def _committed_in(self, topic: str) -> Iterator[FakeRecord]:
        for partition in self.broker.partitions(topic):
            yield from (each for each in partition.history if each.state == "committed")

    def _see(self) -> None:
        """Which of the invitations that may be made were."""
        if not self.expected.perhaps:
            return
        topics = rules.config().topics
        for topic in (topics.results, *map(topics.invitations, rules.ALL_LANES)):
            for partition in self.broker.partitions(topic):
                for record in partition.history:
                    if record.transaction is not None and record.state == "committed":
                        made = orjson.loads(record.value or b"{}")
                        self.expected.seen(made.get("result", made).get("id", ""))

    def _stop(self) -> None:
        self._stopping = True
        for process in list(self._running.values()):
            process.terminate()

    # -- what the checker will want to know ---------------------------------------------------

    def _committed(self, transaction: Transaction) -> None:
        task = self.scheduler.current
        process = task.process.name if task else None
        calls = len(self.wire.sent)
        self.ended.append(Ended(transaction, self.watch.commits, process, calls))
        self.watch.commits += 1

    def _left(self, process: str, batch: Batch) -> None:
        """A call's first byte leaves: within its freshness of a successor's claim, or never.

        An owner whose session ended has told the group, so that a successor may come at once; what
        it had sealed by then may still leave, and the successor reckons with that.
        """
        if self.contacts is not None:
            self.contacts.leave(batch)
        self.left.append((self.scheduler.now, batch))
        lane, epoch, _ = batch.id.split(".")
        claim = self._claim(lane)
        if claim is None or claim.transaction is None or int(epoch) >= claim.offset:
            return
        late = self.scheduler.now - (claim.transaction.decided_at or 0.0)
        if late > FRESH_SECONDS:
            self.usurped.append(f"{batch.id} left {process} {late:.1f} s after another's claim")

    def _claim(self, lane: str) -> FakeRecord | None:
        """The newest visible claim of a lane."""
        (partition,) = self.broker.partitions(rules.config().topics.checkpoints(lane))
        key = f"{lane}/claim".encode()
        newest_first = reversed(partition.history)
        claims = (each for each in newest_first if each.key == key and each.state == "committed")
        return next(claims, None)


def _broker_settings(*, unkind: bool, eager: bool) -> BrokerSettings:
    settings = BrokerSettings()
    if eager:
        settings = replace(
            settings, outlives_revocation=0.9, lingers=0.4, stale_after_seek=0.2, linger=(0.0, 8.0)
        )
    if not unkind:
        return settings
    return replace(settings, commit_lost=0.01, init_lost=0.03, abortable=0.01, unknown_offset=0.02)
