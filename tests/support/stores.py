"""Contact stores of every kind, for suites that each of them must pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from consumer.contacts.memory import MemoryStore
from consumer.contacts.sqlite import SqliteStore
from consumer.contacts.store import ContactStore
from consumer.contacts.valkey import ValkeyStore
from tests.support.contacts import NOW
from tests.support.kafka import unique

OpenStore = Callable[[], ContactStore]
KINDS = ["memory", "sqlite", pytest.param("valkey", marks=pytest.mark.valkey)]


def at_now() -> float:
    """A clock that stands still."""
    return NOW


def opened_stores(request: pytest.FixtureRequest, folder: Path) -> Iterator[OpenStore]:
    """Yield what opens empty stores of the kind in `request.param`; close them at the end."""
    with ExitStack() as stack:

        def open_store() -> ContactStore:
            store: ContactStore
            if request.param == "memory":
                store = MemoryStore(at_now)
            elif request.param == "sqlite":
                store = SqliteStore(folder / f"{unique('contacts')}.sqlite", at_now)
            else:
                server = request.getfixturevalue("valkey_server")
                store = ValkeyStore(server.url, unique("app"), grace=0.0)
            stack.enter_context(closing(store))
            return store

        yield open_store
