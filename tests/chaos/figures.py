"""The figures of a run, as the one JSON object that it ends with."""

from __future__ import annotations

from typing import Any

from tests.chaos.arena import LANES
from tests.chaos.harms import Loss, Scene
from tests.chaos.judge import Verdict
from tests.chaos.observer import Takeover


def report(scene: Scene, verdict: Verdict) -> dict[str, Any]:
    """What was seen, by names that a reader understands; the first claims are no rebalances."""
    replicas = scene.replicas
    return {
        "kills_on_a_call_of_100_or_more": scene.large_hits,
        "open_at_the_vendor_at_kills": scene.open_at_kills,
        "rebalances": len(scene.observer.takeovers) - len(LANES),
        "events": verdict.events,
        "by_status": dict(verdict.by_status),
        "unknown": dict(verdict.unknown),
        "in_flight_at_takeovers": verdict.in_doubt_at_takeovers,
        "unknown_not_in_flight": verdict.unexplained,
        "vendor_withheld_answers_for": verdict.faulted,
        "lost": verdict.lost,
        "more_than_one_result": verdict.repeated,
        "sent_twice": verdict.twice,
        "contradicted_by_the_vendor": verdict.untrue,
        "throttled": verdict.throttled,
        "takeover_seconds": takeover_seconds(scene),
        "exit_codes_of_stops": dict(replicas.exit_codes),
        "died": replicas.died,
        "warnings": replicas.troubles(),
    }


def takeover_seconds(scene: Scene) -> dict[str, dict[str, float]]:
    """Seconds from the loss of a lane's owner to the next claim, by harm.

    A group that waits for a dead member may lose another meanwhile, and waits for that one too: so
    losses that no other harm came near to are also shown apart, as `… alone`.
    """
    figures: dict[str, list[float]] = {}
    for loss in scene.losses:
        claimed = [takeover.at for takeover in scene.observer.takeovers if _follows(takeover, loss)]
        until = min(claimed, default=float("inf"))
        figures.setdefault(loss.harm, []).append(until - loss.at)
        if _alone(scene, loss, until):
            figures.setdefault(f"{loss.harm} alone", []).append(until - loss.at)
    return {name: _summary(sorted(seconds)) for name, seconds in sorted(figures.items())}


def _follows(takeover: Takeover, loss: Loss) -> bool:
    return takeover.lane == loss.lane and takeover.at >= loss.at


def _alone(scene: Scene, loss: Loss, until: float, apart: float = 15.0) -> bool:
    """Whether the loss's own harm was the only one from `apart` seconds before to the claim."""
    return sum(loss.at - apart < at < until for at in scene.harmed_at) <= 1


def _summary(seconds: list[float]) -> dict[str, float]:
    return {
        "lanes": len(seconds),
        "p50": round(seconds[len(seconds) // 2], 2),
        "p99": round(seconds[len(seconds) * 99 // 100], 2),
        "max": round(seconds[-1], 2),
    }
