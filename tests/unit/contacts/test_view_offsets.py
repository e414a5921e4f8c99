"""The offsets of the view stand in the store, and never run ahead of what it has kept."""

from __future__ import annotations

import pytest

from consumer.contacts.book import ContactBook
from consumer.contacts.changes import change_of_contact
from consumer.contacts.memory import MemoryStore
from consumer.errors import OffsetsForgotten
from consumer.policy.contacts.contact_rule import ContactRule
from consumer.policy.contacts.history import Facts, Suppression
from consumer.policy.contacts.request import Request
from consumer.policy.contacts.settling import Settled, Suppressed
from consumer.policy.contacts.suppressions import holds
from consumer.policy.contacts.table import ContactRules
from consumer.records.contact_record import SuppressionRecord

NOW = 1_795_361_827.0
PLACE = ("results", 0)


class _ForgetsBetweenRounds(MemoryStore):
    """Falls back to a snapshot after its first write."""

    def write(self, *arguments: object) -> bool:
        """See `ContactStore`."""
        before, first = self.snapshot(), self._generation == 1
        done = super().write(*arguments)  # type: ignore[arg-type]
        if first:
            self.restore(before)
        return done


def book(store: MemoryStore | None = None) -> tuple[MemoryStore, ContactBook]:
    store = store or MemoryStore(lambda: NOW)
    return store, ContactBook(store, ContactRules([ContactRule("everyone", 1, 86_400.0)]))


def result(number: int) -> Settled:
    return Settled(Request(f"i{number}", (f"p{number}",), NOW), "sent", NOW)


def test_offsets_move_with_what_they_settle() -> None:
    _, contacts = book()
    contacts.settle([result(1)], {PLACE: 5}, {PLACE: 0})
    contacts.settle([result(2)], {PLACE: 7}, {PLACE: 5})
    assert contacts.offsets([PLACE]) == {PLACE: 7}


def test_a_store_that_fell_back_takes_no_later_offset() -> None:
    """Else what it forgot would stay below the offset, and nothing would read it again."""
    store, contacts = book()
    contacts.settle([result(1)], {PLACE: 5}, {PLACE: 0})
    snapshot = store.snapshot()
    contacts.settle([result(2)], {PLACE: 7}, {PLACE: 5})
    store.restore(snapshot)
    with pytest.raises(OffsetsForgotten):
        contacts.settle([result(3)], {PLACE: 9}, {PLACE: 7})
    store.wipe()
    with pytest.raises(OffsetsForgotten):
        contacts.settle([], {PLACE: 9}, {PLACE: 7})
    assert contacts.offsets([PLACE]) == {}


def test_a_store_that_is_ahead_keeps_its_offset() -> None:
    """Another member of the group read this partition meanwhile; changes may come twice."""
    _, contacts = book()
    contacts.settle([result(1)], {PLACE: 9}, {PLACE: 0})
    contacts.settle([result(1)], {PLACE: 5}, {PLACE: 0})
    assert contacts.offsets([PLACE]) == {PLACE: 9}


def test_a_store_that_falls_back_between_two_rounds_is_noticed() -> None:
    _, contacts = book(_ForgetsBetweenRounds(lambda: NOW))
    with pytest.raises(OffsetsForgotten):
        contacts.settle([result(number) for number in range(300)], {PLACE: 300}, {PLACE: 0})
    assert contacts.offsets([PLACE]) == {}


def test_a_suppression_without_a_scope_holds_for_everything() -> None:
    change = change_of_contact(SuppressionRecord(version=1, person="p", at=NOW))
    assert change == Suppressed(("p",), Suppression("all", NOW))
    assert holds(change.suppression, Facts("store", "a", "sms", "pisano"), NOW, NOW)
