"""Terminal output of operator commands, and the confirmation before a write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import typer

from consumer.kafka.lane_logs import LaneView
from consumer.observability.status.status import PauseStatus
from consumer.operations.dead_letters import letters, replay
from consumer.operations.dead_letters.letters import DeadLetterList, DeadLetterRecord
from consumer.operations.inputs import InputView
from consumer.operations.resend import selection
from consumer.operations.tables import table
from consumer.records.fields import LAST_MOMENT, rfc3339

FOREIGN = "records on the topic are no dead letters and are left out"

ROWS = 50
"""Dead letters that `dlq list` shows one by one, the newest."""


def confirm_number(number: int, what: str, *, yes: bool) -> bool:
    """Return whether the operator typed the number, or confirmed beforehand (`yes`)."""
    if yes:
        return True
    answer: str = typer.prompt(f"Type {number} to {what}", default="", show_default=False)
    if answer.strip() == str(number):
        return True
    typer.echo("nothing was done")
    return False


def left_out(number: int, what: str) -> None:
    """Report the records that a command could not read, if any: its counts are without them."""
    if number:
        typer.echo(f"{number:,} {what}: another program wrote them, or a newer version", err=True)


def resend_plan(plan: selection.Plan) -> None:
    """Print counts of invitations that are sent again, and of those that are not."""
    left_out(plan.unread_results, "results could not be read and are left out")
    left_out(plan.unread_invitations, "invitations could not be read and are left out")
    again = Counter((new.kind, new.lane) for new in plan.again)
    if again:
        rows = [(kind.campaign, kind.reason, lane, n) for (kind, lane), n in sorted(again.items())]
        table(("campaign", "reason", "lane", "send again"), rows)
    if plan.refused:
        refused = sorted(plan.refused.items())
        left = [(kind.campaign, kind.reason, why.value, n) for (kind, why), n in refused]
        table(("campaign", "reason", "not sent again, because", "number"), left)
    if not plan.again:
        typer.echo("nothing to send again")


def replay_plan(plan: replay.Plan) -> None:
    """Print counts of letters that are replayed, and of those that stay."""
    left_out(plan.foreign, FOREIGN)
    going = Counter((plan.letters[place].reason, to) for place, to in plan.going.items())
    if going:
        rows = [(reason, to, n) for (reason, to), n in sorted(going.items())]
        table(("reason", "goes to", "replay"), rows)
    staying = Counter(
        (plan.letters[place].reason if place in plan.letters else "", why.value)
        for place, why in plan.staying.items()
    )
    if staying:
        left = [(reason, why, n) for (reason, why), n in sorted(staying.items())]
        table(("reason", "stays, because", "number"), left)
    if not plan.going:
        typer.echo("nothing to replay")


def letter_list(found: DeadLetterList) -> None:
    """Print counts by reason and topic, then the newest letters."""
    left_out(found.foreign, FOREIGN)
    if not found.letters:
        typer.echo("no dead letters")
        return
    counts: Counter[tuple[str, str]] = Counter()
    back: Counter[tuple[str, str]] = Counter()
    for place, letter in found.letters.items():
        counts[letter.reason, letter.topic] += 1
        back[letter.reason, letter.topic] += place in found.replayed
    rows = [(*kind, number, back[kind]) for kind, number in sorted(counts.items())]
    table(("reason", "topic", "letters", "replayed"), rows)
    typer.echo("")
    newest = sorted(found.letters.values(), key=lambda each: each.at)[-ROWS:]
    heads = ("letter", "reason", "original place", "since", "replayed")
    table(heads, [_row(letter, found) for letter in newest])
    if len(found.letters) > ROWS:
        typer.echo(f"the newest {ROWS} of {len(found.letters):,}; `--json` lists all")


def _row(letter: DeadLetterRecord, found: DeadLetterList) -> tuple[str, ...]:
    back = "yes" if letter.place in found.replayed else "no"
    where = f"{letter.topic} [{letter.partition}] {letter.offset}"
    return str(letter.place), letter.reason, where, letter.at, back


def as_json(found: DeadLetterList) -> list[Mapping[str, object]]:
    """Return one object per letter, without headers and value: they may be personal data."""
    return [
        {
            "letter": str(letter.place),
            "reason": letter.reason,
            "message": letter.message,
            "source": {
                "topic": letter.topic,
                "partition": letter.partition,
                "offset": letter.offset,
            },
            "at": letter.at,
            "replayed": letter.place in found.replayed,
        }
        for letter in found.letters.values()
    ]


def letter_details(found: DeadLetterRecord) -> None:
    """Print all about one letter except the original record's content."""
    lost = found.lost.get("value")
    rows = [
        ("letter", str(found.place)),
        ("reason", f"{found.reason}: {found.reason.meaning}"),
        ("message", found.message),
        ("original place", f"{found.topic} [{found.partition}] {found.offset}"),
        ("original time", time_text(found.timestamp)),
        ("dead letter since", found.at),
        ("config version", found.config_version),
        ("value", "kept" if lost is None else f"too large to be kept: {lost:,} bytes"),
        *((f"{part} lost", f"{number:,} bytes") for part, number in found.lost.items()),
        *([("unreadable", found.unreadable)] if found.unreadable else []),
        ("original headers", ", ".join(name for name, _ in found.headers) or "none"),
        ("what to do", letters.ADVICE[found.reason]),
    ]
    table(("", ""), rows)


def time_text(milliseconds: int) -> str:
    """Format a record's timestamp, which may be anything."""
    if 0 <= milliseconds / 1000 <= LAST_MOMENT:
        return rfc3339(milliseconds / 1000)
    return f"none that is a date ({milliseconds} ms)"


def original_headers(found: DeadLetterRecord, key: bytes | None) -> None:
    """Print the original record's key and headers."""
    rows = [("key", key.decode(errors="replace") if key is not None else "none")]
    rows += [(name, (value or b"").decode(errors="replace")) for name, value in found.headers]
    table(("header", "value"), rows)


def lane_table(views: Sequence[tuple[LaneView, bool, int]]) -> None:
    """Print lanes with whether the config has them, and their group's members."""
    heads = ("lane", "in config", "base", "end", "waiting", "in flight", "members")
    table((*heads, "last owner", "config version"), [_lane_row(*lane) for lane in views])


def _lane_row(view: LaneView, configured: bool, members: int) -> tuple[object, ...]:
    owner = f"{view.owner.instance} since {rfc3339(view.owner.at)}" if view.owner else "not known"
    base = "unreadable" if view.base is None else view.base
    config = "yes" if configured else "NO"
    figures = base, view.end, view.waiting, view.in_flight, members
    return view.name, config, *figures, owner, view.config_version


def lane_as_json(view: LaneView, configured: bool, members: int) -> Mapping[str, object]:
    """Return a lane for programs; null for unknown values."""
    owner = view.owner and {"instance": view.owner.instance, "since": rfc3339(view.owner.at)}
    return {
        "lane": view.name,
        "in_config": configured,
        "base": view.base,
        "end": view.end,
        "waiting": view.waiting,
        "in_flight": view.in_flight,
        "members": members,
        "owner": owner,
        "config_version": view.config_version or None,
    }


def input_as_json(view: InputView) -> Mapping[str, object]:
    """Return a partition of an input for programs; null if the group has no offset."""
    committed = view.offset >= 0
    return {
        "topic": view.topic,
        "partition": view.partition,
        "offset": view.offset if committed else None,
        "log_begin": view.low,
        "log_end": view.high,
        "lag": view.high - view.offset if committed else None,
        "stopped": view.reason and view.reason.value,
        "held_at": view.held_at,
    }


def pause_table(paused: Sequence[PauseStatus]) -> None:
    """Print what is paused, by what, since when and why."""
    heads = ("what", "name", "by", "since", "why")
    rows = [
        (one.kind, one.name, one.by, rfc3339(one.since) if one.since else "", one.why or "")
        for one in paused
    ]
    table(heads, rows)


def drain_counts(counts: Mapping[tuple[str, str], int]) -> None:
    """Print the fates of a lane's invitations."""
    rows = [(*kind, number) for kind, number in sorted(counts.items())]
    table(("campaign", "what becomes of it", "number"), rows)
