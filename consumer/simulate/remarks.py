"""Why another way to spend permits waits less than the lane's own, from the figures of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Figures = Mapping[str, Any]

EQUAL = 0.98
"""Share of our mean wait below which another strategy counts as better."""

UNUSED = 0.5
"""Share of the quota left at the lowest, above which it was never short."""


def duration(seconds: float) -> str:
    """Format seconds for people: `8.1 s`, `45 min`, `2 h 5 min`."""
    if seconds < 600:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def explain_better(told: Figures, ours: str) -> Iterator[str]:
    """Yield the better baseline, the reason, and what to do; nothing if none is better."""
    baselines: Figures = told["baselines"]
    name, best = min(baselines.items(), key=lambda each: each[1]["mean_wait"])
    if best["mean_wait"] >= told["mean_wait"] * EQUAL:
        return
    yield (
        f"{name} waits less than {ours}: {duration(best['mean_wait'])} on average instead of "
        f"{duration(told['mean_wait'])}."
    )
    backlogs = [lane["backlog"] for lane in told["lanes"] if "backlog" in lane]
    if backlogs and "onset" in told:
        most = max(backlogs, key=lambda each: each["customers"])
        yield from _burst(told, most, name, ours)
    else:
        yield from _no_burst(told)


def _burst(told: Figures, backlog: Figures, name: str, ours: str) -> Iterator[str]:
    had, other = told["onset"], told["baselines"][name]["onset"]
    yield (
        f"When {backlog['customers']:,} came at once ({backlog['calls']} full calls), {ours} had "
        f"{had['permits']} of {had['of']} permits in hand, for its calls before had carried "
        f"{had['customers_per_call']:.1f} customers each; {name} had {other['permits']}, with "
        f"{other['customers_per_call']:.1f} customers a call."
    )
    reserve = told.get("with_reserve")
    if reserve is not None and reserve["mean_wait"] < told["mean_wait"] * EQUAL:
        yield (
            f"Keep permits for it: `reserve: {reserve['reserve']}` in the quota waits "
            f"{duration(reserve['mean_wait'])}. A burst that comes again is learnt (--every)."
        )
    else:
        yield "Fewer, larger campaigns or a larger quota (--compare) leave more permits in hand."


def _no_burst(told: Figures) -> Iterator[str]:
    lowest = min(min(lane["over_time"]["permits_left"], default=1.0) for lane in told["lanes"])
    if lowest > UNUSED:
        yield (
            f"The quota was never short ({lowest:.0%} left at the lowest): what waits is what a "
            f"permit must be worth, a second for a lone customer."
        )
    else:
        yield (
            "Traffic is uneven, and its campaigns are of much the same size: then the largest sum "
            "of waiting is no better than the oldest. Merge campaigns, or try --compare."
        )
