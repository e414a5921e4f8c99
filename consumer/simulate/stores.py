"""The baskets as traffic: the largest stores are campaigns, households are recipients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from consumer.demo.baskets import Basket, baskets, event_of
from consumer.lane.state.settings import Limit
from consumer.routing.router import Record
from consumer.simulate.simulate import LaneTraffic, synthetic_lane
from consumer.simulate.traffic import Arrival, faster


def of_stores(
    stores: int, speed: float, limits: Sequence[Limit], share: float, found: Iterable[Basket] = ()
) -> LaneTraffic:
    """Return the `stores` largest stores' year, `speed` times as fast (`found`: other baskets).

    Raises DispatcherError, saying what to install, if the data or its reader is missing.
    """
    year = list(found) or list(baskets())
    largest = {store for store, _ in Counter(each.store for each in year).most_common(stores)}
    coming = [
        Arrival(each.time, f"store-{each.store}", str(each.household))
        for each in year
        if each.store in largest
    ]
    seconds = max((coming[-1].time - coming[0].time) / speed, 1.0)
    numbers = Counter(each.campaign for each in coming)
    rates = {name: number / seconds for name, number in numbers.most_common()}
    settings = synthetic_lane(list(rates), limits, share)
    return LaneTraffic(settings, lambda: faster(coming, speed), rates)


def as_records(topic: str) -> Iterable[Record]:
    """Yield the year's baskets as transaction events of an input topic."""
    for number, basket in enumerate(baskets()):
        yield Record(topic, 0, number, event_of(basket, 0.0))
