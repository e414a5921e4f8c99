"""Rounds of read, decide and write over a store.

Keys of a store, an application's own:

    s:<subject>                        history of a subject
    r:<invitation>                     its open reservation
    l:<lane>                           the lane's owner, and the generation it reported to
    o:<rules>:<topic>:<partition>      how far the view has read, for rules of this fingerprint
    ready:<rules>                      whether the generation may grant
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, TypeVar

from consumer.contacts.store import ABSENT, ContactStore
from consumer.errors import StoreUnavailable
from consumer.policy.contacts.loaded import LoadedContacts

MOST_AT_ONCE: Final = 200
"""Invitations or changes of one round."""

MOST_ROUNDS: Final = 100
"""Rounds of one chunk; with as many conflicts something is wrong with the store."""

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def history_key(subject: str) -> str:
    """Return the key of a subject's history."""
    return "s:" + subject


def reservation_key(invitation: str) -> str:
    """Return the key of an invitation's reservation."""
    return "r:" + invitation


class GenerationChanged(Exception):  # noqa: N818 - a reason to begin again, not an error
    """The store began another generation between two reads."""


class Transaction:
    """Reads in rounds; `commit` writes what changed if nothing of it was written meanwhile."""

    def __init__(self, store: ContactStore) -> None:
        self._store = store
        self._versions: dict[str, int] = {}
        self._histories: dict[str, bytes | None] = {}
        self._reservations: dict[str, bytes | None] = {}
        self._values: dict[str, bytes | None] = {}
        self._guards: set[str] = set()
        self._writes: dict[str, bytes | None] = {}
        self.generation = ""
        self.now = 0.0
        self.loaded = LoadedContacts(self._histories, self._reservations)

    def read(
        self,
        subjects: Iterable[str] = (),
        invitations: Iterable[str] = (),
        others: Iterable[str] = (),
    ) -> None:
        """Read what has not been read yet."""
        histories = [name for name in dict.fromkeys(subjects) if name not in self._histories]
        reserved = [name for name in dict.fromkeys(invitations) if name not in self._reservations]
        plain = [key for key in dict.fromkeys(others) if key not in self._values]
        keys = [*map(history_key, histories), *map(reservation_key, reserved), *plain]
        if not keys:
            return
        reading = self._store.read(keys)
        if self.generation not in {"", reading.generation}:
            raise GenerationChanged
        self.generation, self.now = reading.generation, reading.now
        values: dict[str, bytes | None] = dict.fromkeys(keys)
        for key, (_, value) in reading.found.items():
            values[key] = value
        self._versions.update(
            (key, reading.found[key].version if key in reading.found else ABSENT) for key in keys
        )
        self._histories.update((name, values[history_key(name)]) for name in histories)
        self._reservations.update((name, values[reservation_key(name)]) for name in reserved)
        self._values.update((key, values[key]) for key in plain)

    def value(self, key: str) -> bytes | None:
        """Return what was read under another key."""
        return self._values[key]

    def guard(self, key: str) -> None:
        """Let the commit fail if a key that was read has been written since."""
        self._guards.add(key)

    def put(self, key: str, value: bytes) -> None:
        """Write another key at the commit."""
        self._writes[key] = value

    def commit(self, kept_seconds: Callable[[str], float]) -> bool:
        """Write what changed. `kept_seconds`: subject → how long sent contacts are kept."""
        writes = self._writes
        for subject, value in self.loaded.changed_histories(
            lambda subject: self.now - kept_seconds(subject)
        ):
            writes[history_key(subject)] = value
        for invitation, value in self.loaded.changed_reservations():
            writes[reservation_key(invitation)] = value
        if not writes:
            return True
        compared: Collection[str] = writes.keys() | self._guards
        versions = {key: self._versions[key] for key in sorted(compared)}
        return self._store.write(self.generation, versions, writes)


Load = Callable[[Transaction, Sequence[Item]], None]
Work = Callable[[Transaction, Sequence[Item]], list[Answer]]


class Rounds:
    """Runs rounds over a store; one in which another process wrote is repeated."""

    def __init__(self, store: ContactStore, kept_seconds: Callable[[str], float]) -> None:
        self._store, self._kept_seconds = store, kept_seconds

    def run(
        self, items: Sequence[Item], load: Load[Item], work: Work[Item, Answer]
    ) -> list[Answer]:
        """Run a round for each chunk; after a conflict for half as many, then for more again."""
        answers: list[Answer] = []
        done, size, failed = 0, MOST_AT_ONCE, 0
        while done < len(items):
            chunk = items[done : done + size]
            some = self._try(chunk, load, work)
            if some is None:
                size, failed = max(1, len(chunk) // 2), failed + 1
                _check_rounds(failed)
            else:
                answers += some
                done, size, failed = done + len(chunk), min(MOST_AT_ONCE, size * 2), 0
        return answers

    def run_last(
        self,
        items: Sequence[Item],
        load: Load[Item],
        work: Work[Item, Answer],
        last: Work[Item, Answer],
    ) -> None:
        """Run rounds of which the last one, even for no items, also does `last`."""
        done = len(items) // MOST_AT_ONCE * MOST_AT_ONCE
        self.run(items[:done], load, work)

        def both(round_: Transaction, chunk: Sequence[Item]) -> list[Answer]:
            return [*work(round_, chunk), *last(round_, chunk)]

        failed = 0
        while self._try(items[done:], load, both) is None:
            failed += 1
            _check_rounds(failed)

    def _try(
        self, chunk: Sequence[Item], load: Load[Item], work: Work[Item, Answer]
    ) -> list[Answer] | None:
        """Return the answers of a round, or None: another one wrote meanwhile."""
        round_ = Transaction(self._store)
        try:
            load(round_, chunk)
        except GenerationChanged:
            return None
        answers = work(round_, chunk)
        return answers if round_.commit(self._kept_seconds) else None


def _check_rounds(failed: int) -> None:
    if failed >= MOST_ROUNDS:
        raise StoreUnavailable("the contact store is written too often at the same place")
