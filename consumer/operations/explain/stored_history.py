"""Contact history of the config's store, for `explain --store`: reads, and writes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from consumer.config.models import Config
from consumer.contacts.book import ContactBook
from consumer.operations.explain.contact_answers import AskContacts
from consumer.wiring.contact_store import open_store
from consumer.wiring.contacts import build_contact_rules


@contextmanager
def stored_history(config: Config) -> Iterator[AskContacts]:
    """Yield what asks the store, whose own time counts. Raises StoreUnavailable (a file that the
    running process holds), and OperationError without a store."""
    with closing(open_store(config, time.time)) as store:
        yield ContactBook(store, build_contact_rules(config)).explain
