"""Notes: the problems an on-call operator should look at first. Pure; the same on page and
terminal."""

from __future__ import annotations

from collections.abc import Iterator, Set

from consumer.observability.status.status import LaneStatus, Level, Note, StatusSnapshot
from consumer.records.fields import rfc3339


def lane_notes(lane: LaneStatus) -> Iterator[Note]:
    """Yield the lane's notes: accounts, campaigns, then the lane as a whole."""
    yield from _accounts(lane)
    parked = [each for each in lane.campaigns if each.parked]
    for campaign in parked:
        what = f"campaign {campaign.name} is parked{_why(campaign.why)}{_next(campaign.tries_at)}: "
        what += "mend its `id` in the config, or it at the vendor, then `campaigns retry`"
        yield Note(Level.WARN, lane.name, what)
    for campaign in (each for each in lane.campaigns if each.circuit_open):
        what = (
            f"campaign {campaign.name}: its circuit is open{_why(campaign.why)}, one customer at a "
            "time is tried: "
            "mend it at the vendor, then `campaigns retry`"
        )
        yield Note(Level.WARN, lane.name, what)
    if lane.held_back_by == "429":
        what = "the vendor answered 429: no call before it allows one again (`lanes reopen`)"
        yield Note(Level.WARN, lane.name, what)
    if lane.limits_in_use < 1:
        share = f"{lane.limits_in_use:.0%}"
        what = f"uses {share} of its limits after a 429: does another client use this quota?"
        yield Note(Level.WARN, lane.name, what)
    if lane.paused:
        what = "reads nothing more: it holds as much as it may, and no call helps"
        yield Note(Level.WARN, lane.name, what)
    if lane.drain is None and lane.in_lane and not lane.stopped:
        what = "more arrive than leave: at these rates the backlog never ends"
        yield Note(Level.WARN, lane.name, what)


def _accounts(lane: LaneStatus) -> Iterator[Note]:
    for account in lane.accounts:
        if account.credentials_refused:
            what = (
                f"refused by the vendor{_since(account.since)}{_why(account.why)}"
                f"{_next(account.tries_at)}: renew the secret of account {account.name}"
            )
            yield Note(Level.BAD, lane.name, what)
        if account.circuit_open:
            what = (
                f"circuit of account {account.name} open{_since(account.since)}{_why(account.why)}"
                f"{_next(account.tries_at)}: calls wait for the vendor to recover"
            )
            yield Note(Level.BAD, lane.name, what)


def _since(at: float | None) -> str:
    return "" if at is None else f" since {rfc3339(at)}"


def _why(words: str) -> str:
    return f" ({words})" if words else ""


def _next(at: float | None) -> str:
    return "" if at is None else f", next trial at {rfc3339(at)}"


DOUBT_SHOWN = 3600.0
"""Seconds for which a call without a clear answer is worth a note."""

PAUSES_SHOWN = 10
"""Pauses with a note of their own."""

NAMED = 3
"""Lanes that one note names."""


def notes(now: StatusSnapshot) -> list[Note]:
    """Return all problems, the worst first."""
    # What is down comes before the stages that wait for it.
    found = [*_contacts(now), *_process(now), *_stages(now), *_inputs(now), *_doubt(now)]
    found += [*_orphans(now), *_pauses(now)]
    for lane in now.lanes:
        found.extend(lane_notes(lane))
    return sorted(found, key=lambda each: each.level is not Level.BAD)


def _process(now: StatusSnapshot) -> Iterator[Note]:
    for problem in now.problems:
        yield Note(Level.BAD, "process", problem)
    if now.process is not None and now.process.reload == "refused":
        what = f"the config on disk is refused, {now.process.config_version} stays in use"
        yield Note(Level.BAD, "config", f"{what}: the log's `config_refused` says why")


def _stages(now: StatusSnapshot) -> Iterator[Note]:
    for stage in now.stages:
        if stage.stopped:
            what = "must not go on: the log's `stage_stopped` says why and what to do"
            yield Note(Level.BAD, stage.name, what)


def _inputs(now: StatusSnapshot) -> Iterator[Note]:
    for topic, partitions in now.stopped_inputs.items():
        some = "1 partition stands" if partitions == 1 else f"{partitions} partitions stand"
        what = f"{some} still: `inputs list` says why, `inputs resume` where to go on"
        yield Note(Level.BAD, topic, what)
    for topic, partitions in now.waiting_inputs.items():
        some = "1 partition waits" if partitions == 1 else f"{partitions} partitions wait"
        what = f"{some} for a schema: the log's `registry_unreachable` says why"
        yield Note(Level.WARN, topic, f"{what}, without it the registry lacks the schema")


def _pauses(now: StatusSnapshot) -> Iterator[Note]:
    for pause in now.pauses[:PAUSES_SHOWN]:
        where = f"{pause.kind} {pause.name}".rstrip()
        if pause.by_command:
            since = rfc3339(pause.since or 0.0)
            why = f" ({pause.why})" if pause.why else ""
            what = f"paused since {since}{why}: `resume {where}` ends it"
        else:
            what = "paused by the config"
        yield Note(Level.WARN, where, what)
    more = len(now.pauses) - PAUSES_SHOWN
    if more > 0:
        yield Note(Level.WARN, "pauses", f"{more} more: `pause --list` has all")


def _contacts(now: StatusSnapshot) -> Iterator[Note]:
    store = now.contacts
    if store is None or not store.why:
        return
    starts = store.phase in {"waiting", "reading"}
    lanes = f", lanes {', '.join(sorted(store.missing))} have not reported" if store.missing else ""
    what = f"{store.why}{lanes if starts else ''}: no survey is sent meanwhile"
    yield Note(Level.WARN if starts else Level.BAD, "contact store", what)


def _doubt(now: StatusSnapshot) -> Iterator[Note]:
    recent = [call for call in now.doubtful if now.at - call.at < DOUBT_SHOWN]
    if recent:
        customers = sum(call.customers for call in recent)
        what = f"{customers:,} customers of the last hour are in doubt: `resend --status unknown`"
        yield Note(Level.WARN, _names({call.lane for call in recent}), what)


def _names(lanes: Set[str]) -> str:
    first, more = sorted(lanes)[:NAMED], len(lanes) - NAMED
    return ", ".join(first) + (f" and {more} more" if more > 0 else "")


def _orphans(now: StatusSnapshot) -> Iterator[Note]:
    for lane, records in now.orphans.items():
        if records:
            what = f"left the config and holds {records:,} invitations: `lanes drain {lane}`"
            yield Note(Level.WARN, lane, what)
