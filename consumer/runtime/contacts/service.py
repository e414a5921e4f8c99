"""Contact service: the contact store of this process, and the threads in which it is asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from confluent_kafka.admin import AdminClient

from consumer.clock import Clock
from consumer.config.models import Config
from consumer.contacts.book import ContactBook, Ownership
from consumer.contacts.store import ContactStore
from consumer.http.calls import Inbox
from consumer.observability.metrics.contacts import ContactMetrics
from consumer.runtime.contacts.desk import ContactDesk
from consumer.runtime.contacts.gate import FeedGate
from consumer.runtime.contacts.state import ContactState
from consumer.wiring.contacts import ContactConfig, build_contact_rules

QUESTIONS_AT_ONCE = 8
"""Threads that ask the store: a lane has two questions open, and most lanes have none."""


class ContactService:
    """One store of a process. The books of earlier configs share it."""

    def __init__(self, store: ContactStore, clock: Clock, metrics: ContactMetrics) -> None:
        self.store = store
        self.state = ContactState(metrics, clock.steady)
        self.gate: FeedGate | None = None
        self._clock = clock
        self._metrics = metrics
        self._pool = ThreadPoolExecutor(QUESTIONS_AT_ONCE, thread_name_prefix="contacts")
        metrics.start()

    def book(self, config: Config) -> ContactBook:
        """Return the book by a config's rules."""
        rules = build_contact_rules(config)
        names = [*(rule.name for rule in rules.rules), *rules.paces]
        self._metrics.set_rules(names)
        return ContactBook(self.store, rules)

    def desk(self, config: ContactConfig, owner: Ownership, inbox: Inbox) -> ContactDesk:
        """Return the desk of a lane's new owner; answers to its predecessor's questions never
        reach it."""
        return ContactDesk(config, owner, self._pool.submit, inbox, self.state, self._clock)

    def hold_back(self, client: AdminClient, config: Config) -> FeedGate:
        """Send nothing until the gate of the config's feeds, which it returns, opens."""
        self._metrics.start_feeds({name: feed.max_lag for name, feed in config.feeds.named.items()})
        self.gate = FeedGate(
            client, config.topics, config.feeds, self.state, self._metrics, self._clock
        )
        return self.gate

    def use(self, book: ContactBook) -> None:
        """Let the gate ask the book of the present config."""
        if self.gate is not None:
            self.gate.book = book

    def close(self) -> None:
        """Ask no more, and release the store."""
        self._pool.shutdown(cancel_futures=True)
        self.store.close()
