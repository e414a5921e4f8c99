"""What is not as it should be in one lane: pure."""

from __future__ import annotations

from collections.abc import Iterator

from consumer.adapters.status import LaneStatus, Level, Note


def lane_notes(lane: LaneStatus) -> Iterator[Note]:
    """The lane's notes: accounts, campaigns, then the lane as a whole."""
    yield from _accounts(lane)
    parked = [each for each in lane.campaigns if each.parked]
    for campaign in parked:
        what = f"campaign {campaign.name} is parked: mend it at the vendor, then `campaigns retry`"
        yield Note(Level.WARN, lane.name, what)
    for campaign in (each for each in lane.campaigns if each.circuit_open):
        what = (
            f"campaign {campaign.name}: its circuit is open, one customer at a time is tried: "
            "mend it at the vendor, then `campaigns retry`"
        )
        yield Note(Level.WARN, lane.name, what)
    if lane.held_back_by == "429":
        what = "the vendor answered 429: no call before it allows one again (`lanes reopen`)"
        yield Note(Level.WARN, lane.name, what)
    if lane.limits_in_use < 1:
        what = f"uses {lane.limits_in_use:.0%} of its limits after a 429: who else uses this quota?"
        yield Note(Level.WARN, lane.name, what)
    if lane.paused:
        what = "reads nothing more: it holds as much as it may, and no call helps"
        yield Note(Level.WARN, lane.name, what)
    if lane.drain is None and lane.waiting:
        what = "more arrive than leave: at these rates the backlog never ends"
        yield Note(Level.WARN, lane.name, what)


def _accounts(lane: LaneStatus) -> Iterator[Note]:
    for account in lane.accounts:
        if account.refused:
            what = f"the vendor refuses the credentials of account {account.name}: renew its secret"
            yield Note(Level.BAD, lane.name, what)
        if account.ill:
            what = f"account {account.name} answers with trouble: calls wait for it to recover"
            yield Note(Level.BAD, lane.name, what)
