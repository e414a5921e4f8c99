"""The judge of the year on real Kafka: it accepts a right run, and finds each planted fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks.rules.live_compare import Decided, cause_of, play_virtually
from benchmarks.rules.live_judge import LiveJudge
from benchmarks.rules.live_watch import Ended
from benchmarks.rules.year import DAY
from consumer.demo.baskets import Basket
from consumer.demo.contacts import contact
from consumer.records.fields import rfc3339

NOON = 1483376400.0  # 2 January 2017, 12:00 in New York
EVENTS = [
    Basket(day * 100 + household, household, 1, NOON + day * DAY, 30.0, 1)
    for day in (0, 1, 31, 40)
    for household in range(1, 31)
]

Results = dict[str, list[Ended]]
Calls = list[dict[str, Any]]


def right_run() -> tuple[Results, Calls]:
    """The results of the virtual clock, and the calls that belong to them."""
    results = {name: [Ended(at, result)] for name, (at, result) in play_virtually(EVENTS).items()}
    calls = []
    for basket in EVENTS:
        [end] = results[f"basket-{basket.id}"]
        if end.result["status"] == "accepted":
            email = contact(basket.household).email
            calls.append({"accepted": True, "time": end.at, "recipients": [email]})
    return results, calls


def judged(folder: Path, results: Results, calls: Calls) -> list[str]:
    """What the judge finds wrong."""
    journal = folder / "journal.jsonl"
    journal.write_bytes(b"".join(orjson.dumps(call) + b"\n" for call in calls))
    return LiveJudge(EVENTS, results, journal).wrong()


def first_of(results: Results, reason: str) -> str:
    """The first event that ended for a reason."""
    return next(name for name, [end] in results.items() if end.result["reason"] == reason)


def test_a_right_run_has_nothing_wrong(tmp_path: Path) -> None:
    assert judged(tmp_path, *right_run()) == []


def _loses_a_result(results: Results, _: Calls) -> None:
    del results[first_of(results, "not_sampled")]


def _repeats_a_result(results: Results, _: Calls) -> None:
    results[first_of(results, "contact_limit")] *= 2


def _loses_a_call(_: Results, calls: Calls) -> None:
    del calls[0]


def _calls_twice(_: Results, calls: Calls) -> None:
    calls.append(calls[0] | {"time": calls[0]["time"] + 29 * DAY})


def _calls_at_night(_: Results, calls: Calls) -> None:
    calls[0]["time"] += DAY / 2


def _calls_early(results: Results, _: Calls) -> None:
    [end] = results[first_of(results, "accepted")]
    end.result["sent_at"] = rfc3339(end.at - 3600)


def _holds_back_for_nothing(results: Results, calls: Calls) -> None:
    name = first_of(results, "accepted")
    held_back: Any = {"status": "suppressed", "reason": "contact_limit", "sent_at": None}
    results[name][0].result.update(held_back)
    calls.pop(0)


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (_loses_a_result, "1 events without a result"),
        (_repeats_a_result, "1 with several"),
        (_loses_a_call, "the vendor has no call"),
        (_calls_twice, "was asked twice within 29"),
        (_calls_at_night, "was called in quiet hours"),
        (_calls_early, "s early"),
        (_holds_back_for_nothing, "its household has no call in 30 days"),
    ],
)
def test_each_fault_is_found(
    tmp_path: Path, plant: Callable[[Results, Calls], None], found: str
) -> None:
    results, calls = right_run()
    plant(results, calls)
    assert any(found in line for line in judged(tmp_path, results, calls))


def _decided(event: str, day: float, *, asked: bool) -> Decided:
    return Decided(event, day * DAY, day * DAY, "accepted" if asked else "suppressed", asked)


@pytest.mark.parametrize(
    ("live", "there", "cause"),
    [
        ([(0, True), (0.1, True)], [(0, True), (0.1, True)], "in doubt"),
        ([(0, True), (0.1, False)], [(0, False), (0.1, True)], "at once"),
        ([(0.1, True), (30.05, False)], [(0, True), (30.01, True)], "bound"),
        ([(0.5, True), (30.25, False)], [(0, True), (30.25, True)], "bound"),
        ([(0, True), (20, False)], [(0, True), (20, True)], None),
    ],
)
def test_a_difference_has_a_cause_or_none(
    live: list[tuple[float, bool]], there: list[tuple[float, bool]], cause: str | None
) -> None:
    here, virtual = (
        [_decided(f"e{place}", day, asked=asked) for place, (day, asked) in enumerate(decided)]
        for decided in (live, there)
    )
    assert cause_of(here[1], here, {one.event: one for one in virtual}) == cause
