"""Feed gate: nothing is sent while an opt-out may be unread.

Closed until, since this process's start,

1. the group of the feeds has reached the ends that the suppression feed had at the first look, then
2. the view has applied the contacts topic to the end that it had then;

and closed again whenever one of the two lies further behind than `max_lag`. With `behind: send`
only the second counts. Several processes share the group, so each asks Kafka for offsets and ends
itself. A log ends behind its open transactions: an opt-out after one cannot be read yet. While
Kafka does not answer the lag grows, so a gate that cannot see closes in time.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from confluent_kafka.admin import AdminClient

from consumer.clock import Clock
from consumer.config.contact_sections import Feeds
from consumer.config.topic_names import Topics
from consumer.contacts.book import ContactBook
from consumer.contacts.feed_progress import FeedProgress, Place
from consumer.errors import DispatcherError, defect
from consumer.kafka.offset_metadata import id_in
from consumer.kafka.queries import end_offsets, offsets_of_group, topic_ids
from consumer.observability.metrics.contacts import ContactMetrics
from consumer.runtime.contacts.state import ContactState

LOOK_EVERY = 2.0
USUAL_MAX_LAG = 15 * 60.0
"""Of the view, without a feed of suppressions."""

NOT_READ = "the suppression feed has not been read to the end that it had at the start"
NOT_APPLIED = "the contact store has not taken over all opt-outs that there were at the start"
UNKNOWN = "it is not known yet whether all opt-outs are read"

log = structlog.get_logger(__name__)


class FeedGate:
    """The gate of one process; `poll` runs in a worker thread. `book`: of the present config."""

    def __init__(
        self,
        client: AdminClient,
        topics: Topics,
        feeds: Feeds,
        state: ContactState,
        metrics: ContactMetrics,
        clock: Clock,
    ) -> None:
        self.book: ContactBook | None = None
        self._client, self._topics, self._feeds = client, topics, feeds
        self._state, self._metrics, self._clock = state, metrics, clock
        suppressions = feeds.suppressions
        self._waits = suppressions is not None and suppressions.behind == "wait"
        self._max_lag = suppressions.max_lag if suppressions else USUAL_MAX_LAG
        self._feed_progress = {name: FeedProgress() for name in feeds.named}
        self._view = FeedProgress()
        self._looked = False
        self._seen_at = clock.steady()
        state.hold_back(UNKNOWN)

    def poll(self) -> None:
        """Look how far everything is, and open or close. Raises DispatcherError."""
        try:
            self._look()
            self._seen_at = self._clock.steady()
            self._state.hold_back(self._problem())
        except DispatcherError:
            self._close_if_blind()
            raise
        except Exception as error:  # noqa: BLE001 - a gate that looks no more must not stay open
            log.error("feed_gate_defect", error=defect(error))
            self._state.hold_back(UNKNOWN)

    def _close_if_blind(self) -> None:
        blind = self._clock.steady() - self._seen_at
        if blind > self._max_lag:
            why = f"Kafka, or the contact store, has not said for {blind:.0f} s how far it is"
            self._state.hold_back(why)

    def _look(self) -> None:
        topics = {name: feed.topics for name, feed in self._feeds.named.items()}
        read = self._positions({topic for names in topics.values() for topic in names})
        now = self._clock.steady()
        for name, progress in self._feed_progress.items():
            progress.look(now, read, end_offsets(self._client, topics[name]))
        self._metrics.feed_lags({name: one.lag for name, one in self._feed_progress.items()})
        if self._is_feed_read() and self.book is not None:
            place = self._topics.contacts, 0
            applied = self.book.offsets([place])
            self._view.look(now, applied, end_offsets(self._client, [self._topics.contacts]))
            self._looked = True

    def _positions(self, topics: set[str]) -> Mapping[Place, int]:
        """Return the group's offsets; one of a topic that was created anew since is none."""
        if not topics:
            return {}
        ids = topic_ids(self._client, sorted(topics))
        found = offsets_of_group(self._client, self._topics.feeds_group, topics)
        return {
            place: committed.offset
            for place, committed in found.items()
            if id_in(committed.metadata) in {None, ids[place[0]]}
        }

    def _is_feed_read(self) -> bool:
        return not self._waits or self._feed_progress["suppressions"].started

    def _problem(self) -> str:
        """Return why nothing may be sent, or an empty text."""
        if not self._is_feed_read():
            return NOT_READ
        if not (self._looked and self._view.started):
            return NOT_APPLIED
        if self._waits and (lag := self._feed_progress["suppressions"].lag) > self._max_lag:
            return f"the suppression feed lies {lag:.0f} s behind, more than `max_lag`"
        if self._view.lag > self._max_lag:
            return f"the contact store lies {self._view.lag:.0f} s behind the contacts topic"
        return ""
