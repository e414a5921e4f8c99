"""Recorded events as traffic: the config's own router gives each arrival's campaign and time.

An event is routed as of its own time, so none is too old. What a policy decides after routing is
not simulated. Baskets need no config: then the largest stores are the campaigns.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from consumer.config.models import Config
from consumer.demo.baskets import Basket, baskets, event_of
from consumer.errors import EventError, OperationError
from consumer.lane.state.settings import Limit
from consumer.records.input_record import InputRecord
from consumer.routing.decoding.decode import EventDecoder
from consumer.routing.router import Encoded
from consumer.simulate.simulate import DOCUMENTED, LaneTraffic, synthetic_lane
from consumer.simulate.topic import Point, Range
from consumer.simulate.topic import records as topic_records
from consumer.simulate.traffic import Arrival, faster
from consumer.wiring.build import build_router, build_vendors, lane_settings

SHORTEST = 1.0
"""Seconds of a recording, at least, to compute a rate."""


@dataclass(slots=True)
class Recorded:
    """Arrivals by lane in the order of time. `counts`: events by disposition."""

    config: Config
    arrivals: dict[str, list[Arrival]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def lanes(self, speed: float, only: str | None = None) -> list[LaneTraffic]:
        """Return every lane with arrivals, played `speed` times as fast."""
        return [
            _traffic(self.config, lane, coming, speed, self._from)
            for lane, coming in self.arrivals.items()
            if only in (None, lane)
        ]

    @property
    def _from(self) -> float:
        """The first arrival time of all lanes."""
        return min(coming[0].time for coming in self.arrivals.values())


def routed(config: Config, records: Iterable[InputRecord]) -> Recorded:
    """Route records as the program would; raises OperationError if none makes an invitation."""
    router = build_router(config, build_vendors(config))
    by_lane: dict[str, list[Arrival]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for record in records:
        when = _time(router.inputs[record.topic].decoder, record)
        out = router.route([record], when)
        for (_topic, disposition, reason), number in out.counts.items():
            counts[" ".join(filter(None, (disposition, reason)))] += number
        for invitation in out.invitations:
            by_lane[invitation.lane].append(_arrival(invitation, when))
    if not by_lane:
        told = ", ".join(f"{name}: {number:,}" for name, number in sorted(counts.items()))
        raise OperationError(f"no event would make an invitation ({told or 'there are none'})")
    for coming in by_lane.values():
        coming.sort()
    return Recorded(
        config, {lane: by_lane[lane] for lane in config.lanes if lane in by_lane}, counts
    )


@dataclass(frozen=True, slots=True)
class Recording:
    """The source of recorded events: a file, the baskets, or a range of a Kafka topic.

    `topic`: the input topic to read, or that the file was recorded from. `bootstrap`: address of a
    broker, instead of the config's.
    """

    topic: str | None
    file: Path | None = None
    baskets: bool = False
    bootstrap: str | None = None
    begin: Point = "earliest"
    end: Point = "latest"

    @property
    def from_kafka(self) -> bool:
        """Whether a broker is needed."""
        return self.file is None and not self.baskets

    def records(self, config: Config) -> Iterable[InputRecord]:
        """Yield the events as records of an input topic. Raises OperationError."""
        topic = input_topic(config, self.topic)
        if self.file is not None:
            return lines(self.file, topic)
        if self.baskets:
            return basket_records(topic)
        settings = dict(config.kafka)
        if self.bootstrap:
            settings["bootstrap.servers"] = self.bootstrap
        return topic_records(settings, Range(topic, self.begin, self.end))


def lines(path: Path, topic: str) -> Iterator[InputRecord]:
    """Read the events of a file, one JSON document a line, as records of an input topic.

    Raises OperationError if the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file):
                if value := line.strip():
                    yield InputRecord(topic, 0, number, value)
    except OSError as error:
        raise OperationError(f"{path}: {error.strerror}") from None


def input_topic(config: Config, named: str | None) -> str:
    """Return the topic whose input reads a recording; raises OperationError if ambiguous."""
    topics = config.input_topics
    if named is None and len(topics) == 1:
        return topics[0]
    if named not in topics:
        given = f"{named} is none of" if named else "say with --topic which one of"
        raise OperationError(f"{given} the config's input topics: {', '.join(topics)}")
    return named


def _traffic(
    config: Config, lane: str, coming: Sequence[Arrival], speed: float, begin: float
) -> LaneTraffic:
    rates = _rates(coming, begin, speed)
    return LaneTraffic(lane_settings(config, lane), lambda: faster(coming, speed, begin), rates)


def _rates(coming: Sequence[Arrival], begin: float, speed: float) -> dict[str, float]:
    """Return customers a second by campaign, the largest first."""
    seconds = max((coming[-1].time - begin) / speed, SHORTEST)
    numbers = Counter(arrival.campaign for arrival in coming)
    return {name: number / seconds for name, number in numbers.most_common()}


def _time(decoder: EventDecoder, record: InputRecord) -> float:
    """Return the event's own time; 0 for an undecodable event, which the router counts."""
    try:
        return decoder.decode(record).time
    except EventError:
        return 0.0


def _arrival(invitation: Encoded, when: float) -> Arrival:
    expires_at = orjson.loads(invitation.value)["expires_at"]
    expire_after = None if expires_at is None else expires_at - when
    return Arrival(when, invitation.campaign, invitation.key, expire_after)


def store_traffic(
    stores: int, speed: float, found: Iterable[Basket] = (), limits: Sequence[Limit] = DOCUMENTED
) -> LaneTraffic:
    """Return the `stores` largest stores' year, `speed` times as fast (`found`: other baskets).

    Raises DispatcherError, saying what to install, if the data or its reader is missing.
    """
    year = list(found) or list(baskets())
    largest = {store for store, _ in Counter(basket.store for basket in year).most_common(stores)}
    coming = [
        Arrival(basket.time, f"store-{basket.store}", str(basket.household))
        for basket in year
        if basket.store in largest
    ]
    rates = _rates(coming, coming[0].time, speed)
    settings = synthetic_lane(list(rates), limits, 1.0)
    return LaneTraffic(settings, lambda: faster(coming, speed), rates)


def basket_records(topic: str) -> Iterable[InputRecord]:
    """Yield the year's baskets as transaction events of an input topic."""
    for number, basket in enumerate(baskets()):
        yield InputRecord(topic, 0, number, event_of(basket, 0.0))
