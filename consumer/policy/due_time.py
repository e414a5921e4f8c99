"""Due time: the moment from which on an invitation may be sent.

    transaction's time + delay → the next `send_at` → the next set time of the input
                               → out of quiet hours → spread

All by the customer's wall clock, but for set times. The time is computed once, when the event is
routed, from the event and the policy alone, so a replay computes the same; with set times the next
one is not before the event is routed. It is never earlier than transaction +
delay, and never quiet, with two exceptions: `at_quiet: drop` leaves it where it is, because the
check of quiet hours must see it there; and it is `math.inf` if quiet hours never end.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from zoneinfo import ZoneInfo

from consumer.policy.quiet_hours import QuietClock, QuietHours
from consumer.policy.set_times import SetTimes


def next_time_of_day(at: float, time: dt.time, zone: dt.tzinfo) -> float:
    """Return the first moment from `at` on at which the wall clock shows a time of day.

    A time that a day does not have is as much later as the clock leapt; one that it has twice
    counts twice.
    """
    today = dt.datetime.fromtimestamp(at, zone).date()
    moments: list[float] = []
    for day in (-1, 0, 1):
        wall = dt.datetime.combine(today + dt.timedelta(day), time, zone)
        first, second = wall.timestamp(), wall.replace(fold=1).timestamp()
        moments += first, max(first, second)  # `second` is earlier where the time is missing
    return min(moment for moment in moments if moment >= at)


@dataclass(frozen=True)
class DueTime:
    """Computes due times by a policy.

    `delay`, `spread`: seconds. An invitation that quiet hours moved is due a share of `spread`
    after their end, in whole seconds by a hash of its key, so not all are due at once. A spread
    longer than the open stretch is cut to it.

    What each zone's last computation found is remembered: most events of a zone lie close
    together.
    """

    delay: float = 0.0
    send_at: dt.time | None = None
    quiet: QuietHours | None = None
    spread: float = 0.0
    set_times: SetTimes | None = None
    _next_sends: dict[str, tuple[float, float]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def compute(self, event_time: float, zone: ZoneInfo, key: str, now: float = 0.0) -> float:
        """Return the due time of an event in epoch seconds; `key` decides its spread, and `now` the
        earliest set time."""
        due = max(event_time + self.delay, 0.0)  # a damaged time before 1970 has no wall clock
        if self.send_at is not None:
            due = self._next_send(due, self.send_at, zone)
        if self.set_times is not None:
            due = self.set_times.next_from(max(due, now))
        if self._clocks is None:
            return due
        due_clock, open_clock = self._clocks
        opening = due_clock.next_open(due, zone.key)
        if opening in {due, math.inf} or not self.spread:
            return opening
        room = open_clock.stretch(opening, zone.key).until - opening
        return opening + math.floor(min(self.spread, room) * _fraction(key))

    def _next_send(self, at: float, send_at: dt.time, zone: ZoneInfo) -> float:
        since, until = self._next_sends.get(zone.key, (0.0, -1.0))
        if since <= at <= until:
            return until
        until = next_time_of_day(at, send_at, zone)
        self._next_sends[zone.key] = at, until
        return until

    @cached_property
    def _clocks(self) -> tuple[QuietClock, QuietClock] | None:
        """Remember the stretches before quiet hours move an invitation, and those after."""
        if self.quiet is None or self.quiet.at_quiet == "drop":
            return None
        return QuietClock(self.quiet), QuietClock(self.quiet)


def _fraction(key: str) -> float:
    """Return a number in [0, 1) that depends on the key alone."""
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest) / 2**32
