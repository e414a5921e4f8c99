"""The status on a terminal: the same snapshot as the page's, in 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from consumer.lane.state.snapshot import LimitSnapshot
from consumer.observability.status.status import (
    CallStatus,
    CampaignStatus,
    ContactStoreStatus,
    LaneStatus,
    Level,
    Note,
    StatusSnapshot,
)
from consumer.operations.tables import clean

MINUTE, HOUR, DAY = 60, 3600, 86400


def lasting(seconds: float) -> str:
    """Format a duration: 3.2 s, 47 s, 12 min, 3 h 20 min, 2 d 4 h."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 1.5 * MINUTE:
        return f"{round(seconds)} s"
    minutes = round(seconds / MINUTE)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 2 * DAY / MINUTE:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = minutes // 60
    return f"{hours // 24} d {hours % 24} h"


def moment(at: float) -> str:
    """Format a time of day, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%SZ")


def next_permit(lane: LaneStatus) -> str:
    """Return when a call may leave, in words."""
    if lane.stopped:
        return f"for trials only, while {clean(lane.stopped)}"
    if lane.next_permit is None:
        return "after an answer"
    return f"in {lasting(lane.next_permit)}" if lane.next_permit else "now"


def drained(lane: LaneStatus) -> str:
    """Return when no invitation waits in the lane any more, at the present rates, in words."""
    if lane.stopped:
        return "not meanwhile"
    if lane.drain is None:
        return "never"
    without = [clean(account.name) for account in lane.accounts if account.held_back]
    rest = f" without account {', '.join(without)}" if without else ""
    return lasting(lane.drain) + rest if lane.drain else "–"


def parts(waiting: CampaignStatus | LaneStatus, parked: bool = False) -> str:
    """Return where the invitations wait, in words; empty if all are in the lane."""
    if not waiting.delayed:
        return ""
    word = "parked" if parked else "delayed"
    return f" ({waiting.in_lane:,} in the lane, {waiting.delayed:,} {word})"


CALLS = 8
CAMPAIGNS = 6
BAR = 24
COLOURS = {"accepted": "green", "rejected": "yellow", "failed": "red", "unknown": "red"}
VERDICTS = {"accepted": "green", "retry": "yellow"}


def picture(now: StatusSnapshot) -> Group:
    """Return one frame."""
    parts: list[RenderableType] = [_title(now), *map(_note, now.notes), Text("")]
    if now.process is not None:
        parts += [_counts(now), Text("")]
    for lane in now.lanes:
        parts += [_lane(lane), Text("")]
    if now.calls:
        parts += [_calls(now), Text("")]
    return Group(*parts, *_rest(now))


def _title(now: StatusSnapshot) -> Text:
    text = Text("survey-dispatcher", style="bold")
    when = moment(now.at)
    process = now.process
    if process is None:
        return text.append(f"  {when}, from its topics: no process was asked", "not bold dim")
    about = f"{when}, version {process.version}, up {lasting(now.at - process.started_at)}"
    reload = f", last reload {process.reload}" if process.reload else ""
    text.append(f" {clean(process.instance)}", "not bold")
    text.append(clean(f"  {about}"), "not bold dim")
    return text.append(clean(f"  config {process.config_version}{reload}"), "not bold dim")


def _note(note: Note) -> Text:
    colour = "red" if note.level is Level.BAD else "yellow"
    return Text.assemble((f"● {clean(note.where)} ", f"bold {colour}"), clean(note.what))


def _counts(now: StatusSnapshot) -> Text:
    text = Text()
    for status, reasons in now.results.items():
        number = sum(reasons.values())
        text.append(f"{clean(status)} ", "dim")
        text.append(f"{number:,}  ", COLOURS.get(status, "") if number else "dim")
    return text


def _lane(lane: LaneStatus) -> Group:
    head = Text(clean(lane.name), style="bold cyan")
    if lane.owner != "here":
        owner = f"owner {clean(lane.owner)}" if lane.owner else "not owned here"
        head.append(f"  {owner}", "not bold dim default")
        if not lane.limits and not lane.waiting:
            return Group(head)
    facts = [f"waiting {lane.waiting:,}{parts(lane)}", f"in flight {len(lane.in_flight)}"]
    if lane.limits:
        facts.append(f"next permit {next_permit(lane)}")
    if lane.in_lane and lane.owner == "here":
        facts.append(f"drained {'' if lane.stopped else 'in '}{drained(lane)}")
    head.append(f"  {'   '.join(facts)}", "not bold default")
    inside = Group(_limits(lane), *_flying(lane), *_campaigns(lane))
    return Group(head, Padding(inside, (0, 0, 0, 2)))


def _limits(lane: LaneStatus) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=10)
    for limit in lane.limits:
        held = limit.name == lane.held_back_by
        name = Text(clean(limit.name), style="yellow" if held else "dim")
        grid.add_row(name, _bar(limit), f"{int(limit.left)} of {limit.calls}")
    return grid


def _bar(limit: LimitSnapshot) -> ProgressBar:
    low = limit.left < 0.15 * limit.calls
    return ProgressBar(
        max(1, limit.calls),
        min(limit.left, limit.calls),
        width=BAR,
        complete_style="yellow" if low else "blue",
        finished_style="blue",
    )


def _flying(lane: LaneStatus) -> Iterator[Text]:
    for batch in lane.in_flight:
        text = f"→ {batch.campaign}, {batch.customers:,} customers, {lasting(batch.age)} "
        yield Text(clean(text)).append(clean(batch.batch), "dim")


def _campaigns(lane: LaneStatus) -> Iterator[Text]:
    for campaign in lane.campaigns[:CAMPAIGNS]:
        text = Text(f"{clean(campaign.name):<28}")
        age = f", oldest {lasting(campaign.oldest_age)}" if campaign.in_lane else ""
        where = parts(campaign, campaign.parked)
        text.append(f"{campaign.waiting:>9,} waiting{where}{age}", "dim")
        yield text.append(_state(campaign), "yellow")
    more = len(lane.campaigns[CAMPAIGNS:]) + lane.campaigns_more
    if more:
        yield Text(f"and {more:,} more campaigns", style="dim")


def _state(campaign: CampaignStatus) -> str:
    why = f" ({clean(campaign.why)})" if campaign.why else ""
    if campaign.parked:
        next_try = f", next try {moment(campaign.tries_at)}" if campaign.tries_at else ""
        return f"  parked{next_try}{why}"
    return f"  circuit open{why}" if campaign.circuit_open else ""


def _calls(now: StatusSnapshot) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("time", "lane", "answer", "campaign"):
        table.add_column(title, overflow="fold")
    for title in ("customers", "seconds"):
        table.add_column(title, justify="right")
    for call in now.calls[:CALLS]:
        table.add_row(*_call(call))
    return table


def _call(call: CallStatus) -> tuple[Text | str, ...]:
    told = (call.why or call.answer, call.code, call.meaning if call.why else None)
    words = " · ".join(filter(None, (*told, call.verdict.replace("_", " "))))
    return (
        moment(call.at),
        Text(clean(call.lane)),
        Text(clean(words), style=VERDICTS.get(call.verdict, "red")),
        Text(clean(call.campaign)),
        f"{call.customers:,}",
        f"{call.seconds:.2f}",
    )


def _rest(now: StatusSnapshot) -> Iterator[Text]:
    counts: Mapping[str, Mapping[str, int]] = {
        "not yet routed": now.router_lag,
        "delay topics": now.delayed,
        "dead letters": now.dead_letters,
        "in doubt, batches": now.in_doubt,
        "suppressed": now.results.get("suppressed", {}),
        **{f"held back by {rule or 'no rule'}": held for rule, held in now.held_back.items()},
    }
    for title, numbers in counts.items():
        some = [f"{clean(name)} {number:,}" for name, number in numbers.items() if number]
        if some:
            yield Text(f"{clean(title)}: ", style="dim").append(", ".join(some), "not dim")
    if now.contacts is not None:
        yield Text("contact store: ", style="dim").append(_store(now.contacts), "not dim")
    if now.stages:
        slowest = max(now.stages, key=lambda each: each.silent)
        words = f"{len(now.stages)}, {clean(slowest.name)} went round {lasting(slowest.silent)} ago"
        yield Text("loops: ", style="dim").append(words, "not dim")


def _store(store: ContactStoreStatus) -> str:
    state = clean(store.phase or "not asked yet")
    if store.why and store.phase == "ready":
        state = "does not answer"
    return f"{state}, {store.waiting:,} invitations wait for it" if store.waiting else state
