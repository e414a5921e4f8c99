"""Merges the status of the processes of one program. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce

from consumer.observability.status.delayed import with_delayed
from consumer.observability.status.notes import notes
from consumer.observability.status.status import CallStatus, LaneStatus, StatusSnapshot


def merged(
    parts: Sequence[StatusSnapshot], reload: tuple[str | None, float | None]
) -> StatusSnapshot:
    """Return the status of the program; `reload`: result and time of its last reload.

    Times and the config's version are the first one's.
    """
    one = with_delayed(reduce(_pair, parts))
    if one.process is not None:
        one = replace(one, process=replace(one.process, reload=reload[0], reload_at=reload[1]))
    return replace(one, notes=notes(one))


def _pair(one: StatusSnapshot, other: StatusSnapshot) -> StatusSnapshot:
    return replace(
        one,
        problems=list(dict.fromkeys([*one.problems, *other.problems])),
        stages=sorted([*one.stages, *other.stages], key=lambda stage: stage.name),
        lanes=_lanes(one.lanes, other.lanes),
        calls=_latest(one.calls, other.calls),
        doubtful=_latest(one.doubtful, other.doubtful),
        in_doubt=_sum(one.in_doubt, other.in_doubt),
        results=_sums(one.results, other.results),
        dead_letters=_sum(one.dead_letters, other.dead_letters),
        router_lag=_sum(one.router_lag, other.router_lag),
        delayed=_sum(one.delayed, other.delayed),
        delayed_campaigns=_sums(one.delayed_campaigns, other.delayed_campaigns),
        orphans=_sum(one.orphans, other.orphans),
        stopped_inputs=_sum(one.stopped_inputs, other.stopped_inputs),
        waiting_inputs=_sum(one.waiting_inputs, other.waiting_inputs),
        pauses=list(dict.fromkeys([*one.pauses, *other.pauses])),
        held_back=_sums(one.held_back, other.held_back),
        contacts=one.contacts or other.contacts,
    )


def _lanes(one: Iterable[LaneStatus], other: Iterable[LaneStatus]) -> list[LaneStatus]:
    """Return each lane once, as the process shows it that knows its owner."""
    found = {lane.name: lane for lane in one}
    for lane in other:
        if lane.owner is not None or lane.name not in found:
            found[lane.name] = lane
    return list(found.values())


def _latest(one: Sequence[CallStatus], other: Sequence[CallStatus]) -> list[CallStatus]:
    return sorted([*one, *other], key=lambda call: call.at, reverse=True)


def _sums(
    one: Mapping[str, Mapping[str, int]], other: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    return {name: _sum(one.get(name, {}), other.get(name, {})) for name in {**one, **other}}


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}
