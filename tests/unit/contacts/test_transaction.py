"""A round reads one generation, each key once, and writes what changed."""

from __future__ import annotations

import pytest

from consumer.contacts.memory import MemoryStore
from consumer.contacts.transaction import GenerationChanged, Rounds, Transaction
from tests.support.contacts import NOW


def test_round_whose_store_was_lost_between_two_reads_begins_again() -> None:
    store = MemoryStore(lambda: NOW)
    round_ = Transaction(store)
    round_.read(["a"])
    store.wipe()
    round_.read(["a"])  # known already
    with pytest.raises(GenerationChanged):
        round_.read(["b"])


def test_round_is_repeated_when_the_generation_changed_while_it_read() -> None:
    store = MemoryStore(lambda: NOW)
    generations: list[str] = []

    def load(round_: Transaction, _items: object) -> None:
        round_.read(others=["a"])
        if len(generations) < 1:
            generations.append(round_.generation)
            store.wipe()
        round_.read(others=["b"])
        generations.append(round_.generation)

    def work(round_: Transaction, items: object) -> list[bytes | None]:
        assert items == ["item"]
        return [round_.value("a")]

    assert Rounds(store, lambda _subject: 1.0).run(["item"], load, work) == [None]
    assert len(generations) == 2
    assert generations[0] != generations[1]


def test_key_that_was_guarded_stops_the_commit_when_it_was_written() -> None:
    store = MemoryStore(lambda: NOW)
    rounds = [Transaction(store) for _ in range(2)]
    for round_ in rounds:
        round_.read(others=["guarded", "a"])
        round_.guard("guarded")
    rounds[0].put("guarded", b"1")
    assert rounds[0].commit(lambda _subject: 1.0)
    rounds[1].put("a", b"1")
    assert not rounds[1].commit(lambda _subject: 1.0)
