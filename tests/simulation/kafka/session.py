"""A client's side of its group membership: what its background threads do and know."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from confluent_kafka import KafkaException

from tests.simulation.kafka.groups import Group
from tests.simulation.kafka.members import Event, Member
from tests.simulation.kafka.scheduler import Process, Scheduler
from tests.simulation.kafka.settings import BrokerSettings


@dataclass(frozen=True, slots=True)
class Membership:
    """What `consumer_group_metadata` gives."""

    group: str
    member: str
    generation: int


class Session:
    """One consumer's membership, which may begin and end several times.

    `wake`: something is to be served; `gone`: the process is dead, nothing is read any more;
    `polling`: whether the caller waits in a poll.
    """

    def __init__(
        self,
        group: Group,
        process: Process,
        scheduler: Scheduler,
        settings: BrokerSettings,
        rng: random.Random,
        wake: Callable[[], None],
        gone: Callable[[], None],
        polling: Callable[[], bool],
    ) -> None:
        self.group = group
        self.wake = wake
        self.topics: Sequence[str] = ()
        self.polled_at = scheduler.now
        self.exceeded = False
        self._process = process
        self._sched = scheduler
        self._settings = settings
        self._rng = rng
        self._gone = gone
        self._polling = polling
        self._member: Member | None = None
        self._watched = False
        process.guests.append(self)

    # -- what the client knows ----------------------------------------------------------------

    @property
    def lost(self) -> bool:
        """Whether it wants to be a member and knows that it is none."""
        return bool(self.topics) and self._heard() is None

    def membership(self) -> Membership:
        """Without a member id while it is in no group, as far as it knows."""
        member = self._heard()
        if member is None or member.generation < 0:
            return Membership(self.group.name, "", -1)
        return Membership(self.group.name, member.id, member.generation)

    def _heard(self) -> Member | None:
        member = self._member
        if member is not None and member.dropped and member.heard_at <= self._sched.now:
            return None
        return member

    # -- what it does -------------------------------------------------------------------------

    def join(self) -> None:
        """Become a new member."""
        self.exceeded = False
        self._member = self.group.join(self, self._process, self.topics)
        self._watch_poll()

    def leave(self) -> None:
        """Say goodbye."""
        if self._member is not None:
            self.group.leave(self._member)
            self._member = None

    def close(self, reach: Callable[[], None], gone_at: Callable[[], float]) -> None:
        """Say goodbye if the broker can be reached; if not, the group finds out by itself."""
        self.topics = ()
        member = self._member
        if member is not None:
            try:
                reach()
            except KafkaException:
                self._sched.at(gone_at(), lambda: self.group.leave(member))
            else:
                self.leave()
        self._process.guests.remove(self)

    @property
    def called(self) -> bool:
        """Whether callbacks are due."""
        return self._member is not None and bool(self._member.events)

    def next_event(self) -> tuple[Member, Event] | None:
        """What the caller's callbacks have to serve; the group waits until it is `served`."""
        member = self._member
        if member is None or not member.events:
            return None
        member.busy = True
        return member, member.events.popleft()

    def served(self, member: Member, event: Event) -> None:
        """The callback has returned or raised."""
        if not member.dropped and not self._process.dead:
            self.group.served(member, event)

    # -- what happens to it -------------------------------------------------------------------

    def killed(self) -> None:
        """No goodbye: the group does without it when its session is over."""
        self._gone()
        self._expect_drop(inf)

    def frozen(self, until: float) -> None:
        """No heartbeats any more."""
        self._expect_drop(until)

    def thawed(self) -> None:
        """If it was dropped, its background hears of it now or soon."""
        self.group.retry()
        member = self._member
        if member is not None and member.dropped and member.heard_at == inf:
            delay = self._rng.choice((0.0, self._rng.random() * 0.05, self._rng.random() * 3.0))
            member.heard_at = self._sched.now + delay
            self._sched.at(member.heard_at, self.wake)

    def drop(self, heard_at: float) -> None:
        """The group does without it from now on."""
        if self._member is not None and not self._member.dropped:
            self._member.heard_at = heard_at
            self.group.leave(self._member)
            self.wake()

    def _expect_drop(self, until: float) -> None:
        member = self._member
        if member is None or member.dropped:
            return
        when = self._sched.now + self._settings.session_timeout
        when -= self._rng.random() * self._settings.heartbeat
        if when < until:
            self._sched.at(when, lambda: self.group.expire(member, until))

    # -- max.poll.interval --------------------------------------------------------------------

    def _watch_poll(self) -> None:
        if not self._watched:
            self._watched = True
            due = self.polled_at + self._settings.max_poll
            self._sched.at(max(due, self._sched.now + 1.0), self._look_at_poll)

    def _look_at_poll(self) -> None:
        """A member whose caller does not poll leaves by itself."""
        self._watched = False
        if not self.topics or self._process.dead or self._member is None:
            return
        still = self._process.frozen_until > self._sched.now or self._polling()
        if not still and self._sched.now >= self.polled_at + self._settings.max_poll:
            self.exceeded = True
            self.drop(self._sched.now)
        else:
            self._watch_poll()
