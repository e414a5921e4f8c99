"""Recorded events as traffic: the config's own router gives each arrival's campaign and time.

An event is routed as of its own time, so none is too old, and its invitation comes at its due time.
What a policy decides after that is not simulated here but by `rules_play`. Baskets need no config:
then the largest stores are the campaigns.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import orjson

from consumer.config.models import Config
from consumer.demo.baskets import Basket, baskets
from consumer.errors import OperationError
from consumer.lane.state.settings import Limit
from consumer.records.input_record import InputRecord
from consumer.routing.routed import EncodedInvitation
from consumer.simulate.simulate import DOCUMENTED, LaneTraffic, synthetic_lane
from consumer.simulate.traffic import Arrival, faster
from consumer.wiring.build import build_router, build_vendors, lane_settings

SHORTEST = 1.0
"""Seconds of a recording, at least, to compute a rate."""


@dataclass(slots=True)
class Recorded:
    """Arrivals by lane in the order of time. `counts`: events by disposition."""

    config: Config
    arrivals: dict[str, list[Arrival]]
    counts: Counter[str]

    def lanes(self, speed: float, only: str | None = None) -> list[LaneTraffic]:
        """Return every lane with arrivals, played `speed` times as fast."""
        first = min(coming[0].time for coming in self.arrivals.values())
        return [
            LaneTraffic(
                lane_settings(self.config, lane),
                partial(faster, coming, speed, first),
                _campaign_rates(coming, first, speed),
            )
            for lane, coming in self.arrivals.items()
            if only in (None, lane)
        ]


def routed(config: Config, records: Iterable[InputRecord]) -> Recorded:
    """Route records as the program would; raises OperationError if none makes an invitation."""
    router = build_router(config, build_vendors(config))
    by_lane: dict[str, list[Arrival]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for record in records:
        when = router.inputs[record.topic].decoder.event_time(record)
        out = router.route([record], when)
        for (_topic, disposition, reason), number in out.counts.items():
            counts[" ".join(filter(None, (disposition, reason)))] += number
        for invitation in out.invitations:
            by_lane[invitation.lane].append(_arrival_from(invitation, when))
    if not by_lane:
        told = ", ".join(f"{name}: {number:,}" for name, number in sorted(counts.items()))
        raise OperationError(f"no event would make an invitation ({told or 'there are none'})")
    for coming in by_lane.values():
        coming.sort()
    return Recorded(
        config, {lane: by_lane[lane] for lane in config.lanes if lane in by_lane}, counts
    )


def _campaign_rates(coming: Sequence[Arrival], begin: float, speed: float) -> dict[str, float]:
    """Return customers a second by campaign, the largest first."""
    seconds = max((coming[-1].time - begin) / speed, SHORTEST)
    numbers = Counter(arrival.campaign for arrival in coming)
    return {name: number / seconds for name, number in numbers.most_common()}


def _arrival_from(invitation: EncodedInvitation, when: float) -> Arrival:
    """Return when an invitation comes to its lane: at its due time."""
    due_at = invitation.due_at or when
    expires_at = orjson.loads(invitation.value)["expires_at"]
    expire_after = None if expires_at is None else expires_at - due_at
    return Arrival(due_at, invitation.campaign, invitation.key, expire_after)


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
    rates = _campaign_rates(coming, coming[0].time, speed)
    settings = synthetic_lane(list(rates), limits, 1.0)
    return LaneTraffic(settings, partial(faster, coming, speed), rates)
