"""Dead-letter guard: which records of a poll an input's limit on dead letters still admits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from consumer.records.dead_letter import DeadLetter
from consumer.routing.dead_letter_limit import DeadLetterLimit, DeadLetterWindow

Place = tuple[str, int, int]
"""Topic, partition, offset."""


class Halt(NamedTuple):
    """An input that exceeds its limit: the records of a poll that were left, in order, and a dead
    letter for example."""

    refused: list[Place]
    example: str


def place_of(letter: DeadLetter) -> Place:
    """Return where a dead letter first stood."""
    source = letter.source
    return source["topic"], source["partition"], source["offset"]


def example_of(topic: str, letters: Sequence[DeadLetter]) -> str:
    """Return the place and reason of the last dead letter of a topic."""
    found = [letter for letter in letters if letter.source["topic"] == topic]
    if not found:
        return "the next record"
    return f"{':'.join(map(str, place_of(found[-1])))} ({found[-1].reason})"


@dataclass(slots=True)
class DeadLetterGuard:
    """The windows of this member's inputs. `limits`: by topic; a topic without one has no limit."""

    limits: Mapping[str, DeadLetterLimit]
    _windows: dict[str, DeadLetterWindow] = field(default_factory=dict)

    def refused(self, places: Sequence[Place], bad: Collection[Place]) -> dict[str, list[Place]]:
        """Return by topic the records of a poll from the one on that exceeds the limit.

        `places`: of the poll's records, in order; `bad`: records that would be dead letters.
        """
        found = dict[str, list[Place]]()
        for topic, (own, unread) in self._by_topic(places, bad).items():
            allowed = self._window(topic).allowed(len(own), unread)
            if allowed < len(own):
                found[topic] = own[allowed:]
        return found

    def take_readable(self, topics: Iterable[str]) -> None:
        """Add the records of a poll without dead letters: the topic of each."""
        for topic, number in Counter(topics).items():
            if topic in self.limits:
                self._window(topic).take(number, ())

    def take(self, places: Sequence[Place], bad: Collection[Place]) -> None:
        """Add the records of a poll that was committed."""
        for topic, (own, unread) in self._by_topic(places, bad).items():
            self._window(topic).take(len(own), unread)

    def reset(self, topic: str) -> None:
        """Forget a topic's records: it was halted, and begins anew when it goes on."""
        self._windows.pop(topic, None)

    def _window(self, topic: str) -> DeadLetterWindow:
        if topic not in self._windows:
            self._windows[topic] = DeadLetterWindow(self.limits[topic])
        return self._windows[topic]

    def _by_topic(
        self, places: Sequence[Place], bad: Collection[Place]
    ) -> Mapping[str, tuple[list[Place], list[int]]]:
        """Return topic → its records, and the numbers of dead letters among them."""
        found: dict[str, tuple[list[Place], list[int]]] = defaultdict(lambda: ([], []))
        for place in places:
            if place[0] in self.limits:
                own, unread = found[place[0]]
                if place in bad:
                    unread.append(len(own))
                own.append(place)
        return found
