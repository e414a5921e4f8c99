"""A feed of opt-outs that is behind when the lane's process starts, and the program's own gate.

feed ─(the feed stage, slowly)─► contacts ─(the view)─► store          gate: see `FeedGate`
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

from consumer.clock import Clock
from consumer.config.contact_sections import Feeds
from consumer.config.topic_names import Topics
from consumer.contacts.book import ContactBook
from consumer.contacts.changes import change_of_contact
from consumer.errors import DispatcherError
from consumer.policy.contacts.settling import Change
from consumer.records.contact_record import SuppressionRecord
from consumer.runtime.contacts import gate as gate_module
from consumer.runtime.contacts.gate import LOOK_EVERY, FeedGate
from consumer.runtime.contacts.state import ContactState
from tests.simulation.contacts.view import SimView
from tests.simulation.world.doubles import Mute

FEED, CONTACTS = ("crm", 0), ("contacts", 0)
MOST_RECORDS = 12
VIEW_STALLS = 0.5
TOPICS = SimpleNamespace(contacts=CONTACTS[0], feeds_group="feeds")


class SimFeed:
    """`records`: the opt-outs that stand in the feed before the process starts."""

    def __init__(
        self,
        rng: random.Random,
        people: Sequence[str],
        view: SimView,
        later: Callable[[float, Callable[[], None]], None],
        clock: Clock,
    ) -> None:
        self._rng, self._view, self._later, self._clock = rng, view, later, clock
        self._max_lag = rng.choice(["20s", "15m"])
        self._read = 0
        self._gate: FeedGate | None = None
        chosen = rng.sample(people, min(len(people), rng.randint(1, MOST_RECORDS)))
        self.records: list[Change] = [
            change_of_contact(
                SuppressionRecord(version=1, person=name, at=clock.now() - rng.uniform(1.0, 1e6))
            )
            for name in chosen
        ]
        later(clock.now() + rng.uniform(0.0, 60.0), self._pass_on)
        later(clock.now(), self._look)

    def guard(self, book: ContactBook, state: ContactState) -> None:
        """Close the gate of a process that starts."""
        suppressions = {"topics": ("crm",), "address": "to", "max_lag": self._max_lag}
        feeds = Feeds.model_validate({"suppressions": suppressions})
        topics, client = cast("Topics", TOPICS), cast("Any", None)
        self._gate = FeedGate(client, topics, feeds, state, cast("Any", Mute()), self._clock)
        self._gate.book = book

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Answer what the gate asks Kafka."""
        with ExitStack() as patches:
            for name in ("end_offsets", "offsets_of_group", "topic_ids"):
                patches.enter_context(patch.object(gate_module, name, getattr(self, f"_{name}")))
            yield

    def _pass_on(self) -> None:
        """Write some records to the contacts topic, with the group's offset."""
        if self._read == 0 and self._rng.random() < VIEW_STALLS:
            self._view.stalls_until = self._clock.now() + self._rng.uniform(5.0, 40.0)
        for record in self.records[self._read : self._read + self._rng.randint(1, 3)]:
            self._view.write(CONTACTS, record)
            self._read += 1
        if self._read < len(self.records):
            self._later(self._clock.now() + self._rng.uniform(0.5, 10.0), self._pass_on)

    def _look(self) -> None:
        self._later(self._clock.now() + LOOK_EVERY, self._look)
        if self._gate is not None:
            try:
                self._gate.poll()
            except DispatcherError:
                return

    def _end_offsets(self, _client: object, topics: Collection[str]) -> dict[Any, int]:
        ends = {FEED: len(self.records), CONTACTS: len(self._view.logs[CONTACTS])}
        return {place: end for place, end in ends.items() if place[0] in topics}

    def _offsets_of_group(self, *_: object) -> dict[Any, Any]:
        return {FEED: SimpleNamespace(offset=self._read, metadata="")}

    def _topic_ids(self, _client: object, topics: Collection[str]) -> dict[str, None]:
        return dict.fromkeys(topics)
