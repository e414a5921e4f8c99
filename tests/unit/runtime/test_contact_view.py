"""What the view has read before a new generation of the store grants anything."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from consumer.contacts.book import ContactBook
from consumer.contacts.memory import MemoryStore
from consumer.policy.contacts.contact_rule import ContactRule
from consumer.policy.contacts.table import ContactRules
from consumer.runtime.contacts.state import ContactState
from consumer.runtime.contacts.view import LOOK_EVERY, ContactView
from consumer.runtime.group_consumer import GroupConsumer
from tests.unit.config.support import VALID, load_text
from tests.unit.runtime.test_stage import Time, services

RESULTS, CONTACTS = ("surveys.results", 0), ("surveys.contacts", 0)
ENDS = {RESULTS: 9, CONTACTS: 0}
COMMITTED = 4
"""Where an open transaction begins on the results topic."""


class Client:
    """One partition of each topic, with records behind an open transaction."""

    def list_topics(self, topic: str, timeout: float) -> Any:
        del timeout
        return SimpleNamespace(topics={topic: SimpleNamespace(partitions=[0])})

    def get_watermark_offsets(self, _place: object, timeout: float) -> tuple[int, int]:
        del timeout
        return 0, COMMITTED


def test_results_behind_an_open_transaction_are_read_before_anything_is_granted(
    tmp_path: Path,
) -> None:
    """Else a person whose result it hides would be asked again."""
    clock = Time()
    clients = SimpleNamespace(log_end=lambda _client, *place: ENDS[place])
    book = ContactBook(MemoryStore(clock.now), ContactRules([ContactRule("everyone", 1, 86_400.0)]))
    made = services(clock, clients)
    state = ContactState(made.metrics.contacts, clock.steady)
    view: Any = ContactView(made, book, load_text(VALID, tmp_path), state)
    view.group = cast("GroupConsumer", SimpleNamespace(consumer=Client()))
    view._book, view._lanes = book, ()

    def phase_after(offset: int) -> str:
        book.settle([], {RESULTS: offset}, {RESULTS: 0})
        for _ in range(2):  # one look lets it grant, the next one sees that it does
            clock.at += LOOK_EVERY
            view._look()
        assert state.recovery is not None
        return state.recovery.phase

    assert phase_after(COMMITTED) == "reading"
    assert phase_after(8) == "reading"
    assert phase_after(9) == "ready"
