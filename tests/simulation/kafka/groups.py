"""Consumer groups with cooperative rebalances: members, generations, offsets."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, TopicPartition

from tests.simulation.kafka.log import Place, Transaction
from tests.simulation.kafka.members import Event, Member
from tests.simulation.kafka.settings import draw
from tests.simulation.kafka.tasks import Process

if TYPE_CHECKING:
    from tests.simulation.kafka.broker import FakeBroker
    from tests.simulation.kafka.session import Session


class Offset(int):
    """An offset that a group has committed; `text` is what was committed with it (metadata)."""

    text: str = ""


def offsets_of(partitions: Iterable[TopicPartition]) -> dict[Place, int]:
    """What these ask to be committed."""
    found: dict[Place, int] = {}
    for partition in partitions:
        offset = found[partition.topic, partition.partition] = Offset(partition.offset)
        offset.text = partition.metadata or ""
    return found


class Group:
    """One group. A rebalance waits for members that are busy or frozen, until they are dropped."""

    def __init__(self, name: str, broker: FakeBroker, rng: random.Random) -> None:
        self.name = name
        self.generation = 0
        self.members: dict[str, Member] = {}
        self.offsets: dict[Place, int] = {}
        self.pending: dict[Transaction, dict[Place, int]] = {}
        self.strays: list[str] = []
        """Offsets that a member committed of partitions that it had given back by then."""
        self._broker = broker
        self._rng = rng
        self._joined = 0
        self._planned = False
        self._wanted = False
        self._shuffle = False
        self._promised: dict[Place, Member] = {}  # once its owner has given it back

    # -- offsets ------------------------------------------------------------------------------

    def forget(self, topics: Iterable[str] | None = None) -> bool:
        """`offsets.retention.minutes` are over: an empty group forgets all its offsets at once, a
        stable one those of topics that no member subscribes to.

        False, and nothing is forgotten, while the group holds them. Members that could not take
        their share yet make a group that is not stable for as long.
        """
        if topics is None:
            expired = not self.members
        else:
            read = {topic for member in self.members.values() for topic in member.topics}
            expired = bool(self.members) and self._settled() and not read & set(topics)
        if not expired:
            return False
        gone = [offset for offset in self.offsets if topics is None or offset[0] in set(topics)]
        for place in gone:
            del self.offsets[place]
        return True

    def settle(self, transaction: Transaction) -> None:
        """A transaction ended: its offsets hold, or never were."""
        offsets = self.pending.pop(transaction)
        if transaction.state == "committed":
            self.offsets.update(offsets)

    def unstable(self, place: Place) -> bool:
        """Whether an open transaction has an offset of this partition."""
        return any(place in offsets for offsets in self.pending.values())

    def look_at(self, member: str, places: Iterable[Place]) -> None:
        """Note which of these offsets are not the member's to commit; Kafka takes them."""
        found = self.members.get(member)
        if found is not None:
            stray = [place for place in places if place not in found.owned]
            self.strays += [f"{member} committed {place} of group {self.name}" for place in stray]

    def refusal(self, member: str, generation: int, *, transactional: bool) -> int | None:
        """The code with which offsets of this member are refused; None: they are taken."""
        if not member:
            idle = transactional or not self.members
            return None if idle else KafkaError.UNKNOWN_MEMBER_ID
        if member not in self.members:
            return KafkaError.UNKNOWN_MEMBER_ID
        return None if generation == self.generation else KafkaError.ILLEGAL_GENERATION

    # -- members ------------------------------------------------------------------------------

    def join(self, client: Session, process: Process, topics: Sequence[str]) -> Member:
        """A new member; it gets its share with the next generation."""
        self._joined += 1
        member = Member(f"{process.name}-{self._joined}", process, client, topics)
        self.members[member.id] = member
        self.rebalance()
        return member

    def leave(self, member: Member) -> None:
        """The member said goodbye, or the group does without it."""
        if self.members.pop(member.id, None) is not None:
            member.dropped = True
            member.events.clear()
            member.owned.clear()
            self.rebalance()

    def expire(self, member: Member, frozen_until: float) -> None:
        """End its session if it was silent since; a broker that was down counts again from 0."""
        if member.dropped or not member.silent_until(frozen_until):
            return
        if self._broker.is_down:
            when = self._broker.down_until + self._broker.settings.session_timeout
            self._broker.scheduler.at(when, lambda: self.expire(member, frozen_until))
        elif frozen_until > self._broker.scheduler.now:
            self.leave(member)

    def served(self, member: Member, event: Event) -> None:
        """A member's callback for this event has returned."""
        member.busy = False
        kind, places = event
        if kind == "revoke" and places:
            for place in places:
                member.owned.pop(place, None)
            self.rebalance()
        self.retry()

    def retry(self) -> None:
        """A member that a rebalance waits for may be ready now."""
        if self._wanted:
            self.rebalance()

    def shuffle(self) -> None:
        """Rebalance now, and move something if there is another member."""
        self._shuffle = True
        self.rebalance()

    # -- rebalances ---------------------------------------------------------------------------

    def rebalance(self) -> None:
        """Plan a new generation."""
        if not self._planned:
            self._planned = True
            when = self._broker.scheduler.now
            when += draw(self._rng, self._broker.settings.rebalance_delay)
            self._broker.scheduler.at(max(when, self._broker.down_until), self._complete)

    def _complete(self) -> None:
        self._planned = False
        if self._broker.is_down:
            self.rebalance()
            return
        self._wanted = not all(self._ready(each) for each in self.members.values())
        if self._wanted or not self.members:
            return
        self.generation += 1
        target = self._target()
        held = {place: each for each in self.members.values() for place in each.owned}
        self._promised = {place: to for place, to in target.items() if held.get(place) is not to}
        for member in self.members.values():
            self._hand_out(member, target, held)

    def _settled(self) -> bool:
        """Whether no rebalance is due, and every member has taken its share of the last one."""
        waits = self._planned or self._wanted
        return not waits and all(self._ready(member) for member in self.members.values())

    def _ready(self, member: Member) -> bool:
        silent = member.silent(self._broker.scheduler.now)
        return not (member.busy or member.events or silent)

    def _hand_out(
        self, member: Member, target: dict[Place, Member], held: dict[Place, Member]
    ) -> None:
        member.generation = self.generation
        going = [place for place in member.owned if target.get(place) is not member]
        coming = [place for place, to in target.items() if to is member and place not in held]
        member.owned.update(dict.fromkeys(coming))
        if going:
            member.events.append(("revoke", going))
        if coming or not going:
            member.events.append(("assign", coming))
        member.client.wake()

    def _target(self) -> dict[Place, Member]:
        """Balance; a member keeps what it has or was promised where that is possible."""
        members = list(self.members.values())
        self._rng.shuffle(members)
        places = self._places({topic for each in members for topic in each.topics})
        if len({frozenset(each.topics) for each in members}) > 1:
            return self._by_subscription(members, places)
        kept = {each: self._kept(each, places) for each in members}
        members.sort(key=lambda each: len(kept[each]), reverse=not self._shuffle)
        share, more = divmod(len(places), len(members))
        room = {each: share + (index < more) for index, each in enumerate(members)}
        target: dict[Place, Member] = {}
        for member in members:
            keeps = self._given_up(kept[member]) if self._shuffle else kept[member]
            for place in keeps[: room[member]]:
                target[place] = member
                room[member] -= 1
        self._spread([place for place in places if place not in target], target, room)
        self._shuffle = False
        return target

    def _by_subscription(self, members: list[Member], places: list[Place]) -> dict[Place, Member]:
        """During a rolling deploy members subscribe to different topics: each gets its own only."""
        load = dict.fromkeys(members, 0)
        target: dict[Place, Member] = {}
        for place in places:
            able = [member for member in members if place[0] in member.topics]
            keeps = [each for each in able if place in self._kept(each, places)]
            target[place] = (keeps or sorted(able, key=lambda each: load[each]))[0]
            load[target[place]] += 1
        self._shuffle = False
        return target

    def _kept(self, member: Member, places: list[Place]) -> list[Place]:
        promised = self._promised
        return [place for place in places if place in member.owned or promised.get(place) is member]

    def _given_up(self, kept: list[Place]) -> list[Place]:
        """Less of it, at random: for a rebalance that must move something."""
        return self._rng.sample(kept, self._rng.randint(0, max(0, len(kept) - 1)))

    def _spread(
        self, rest: list[Place], target: dict[Place, Member], room: dict[Member, int]
    ) -> None:
        for place in rest:
            free = [each for each, left in room.items() if left > 0]
            others = [each for each in free if self._shuffle and place not in each.owned]
            member = (others or free)[0]
            target[place] = member
            room[member] -= 1

    def _places(self, topics: Iterable[str]) -> list[Place]:
        parts = self._broker.partitions
        return [(name, part.number) for name in sorted(topics) for part in parts(name)]
