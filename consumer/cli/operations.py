"""The operator's commands: `status`, `resend`, `dlq`, `lanes`. They show what they would do, then
ask.

What they need is imported when they are called, as for every command beside `run`.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.options import (
    ConfigPath,
    load_config,
    time_of,
)
from consumer.config.durations import parse_duration
from consumer.operations.resend.selection import Resendable
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.result import Reason

if TYPE_CHECKING:
    from consumer.operations.access import Access
    from consumer.operations.dead_letters.letters import LetterPlace
    from consumer.operations.lanes.drain_plan import Counts

dlq = typer.Typer(help="Dead letters: list, explain, give back after a fix.", no_args_is_help=True)
lanes = typer.Typer(
    help="Lanes: list them, empty those that left the config.", no_args_is_help=True
)

DEFAULT = Path("routing.yaml")
Yes = Annotated[bool, typer.Option("--yes", help="do not ask")]
Since = Annotated[
    str | None, typer.Option(help="RFC 3339 time with its offset, or how long ago, as in 2h")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="show what would be done, and end")]


def status(
    url: Annotated[
        str | None, typer.Option(help="a running dispatcher's admin port, else this host's 9464")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="read the topics instead: no process need run"),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="again and again, until Ctrl-C")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Show lanes, permits, windows and calls: of a running dispatcher, or from the topics."""
    from consumer.observability.status.status import dump
    from consumer.operations.status import screen
    from consumer.operations.status.status import (
        LOCAL,
        of_process,
        of_topics,
    )

    if watch and as_json:
        raise typer.BadParameter("--watch is for people, --json is not: choose one")
    if url is not None and config is not None:
        raise typer.BadParameter("--url asks a process, --config reads the topics: choose one")
    look, every = partial(of_process, url or LOCAL), screen.EVERY
    if config is not None:
        look, every = partial(of_topics, _access(config)), screen.EVERY_FROM_TOPICS
    if as_json:
        typer.echo(dump(look()))
    elif watch:
        screen.watch(look, every)
    else:
        screen.once(look)


def resend(
    status: Annotated[list[Resendable], typer.Option(help="how they ended; may be repeated")],
    config: ConfigPath = DEFAULT,
    reason: Annotated[list[Reason] | None, typer.Option(help="only with this reason")] = None,
    since: Since = None,
    until: Since = None,
    campaign: Annotated[list[str] | None, typer.Option(help="only of this campaign")] = None,
    route: Annotated[list[str] | None, typer.Option(help="only of this route")] = None,
    ids: Annotated[list[str] | None, typer.Option("--id", help="only this invitation")] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Send invitations again that ended unknown, failed, rejected or expired: once each."""
    from consumer.operations import view
    from consumer.operations.resend import run
    from consumer.operations.resend.selection import (
        Choice,
        Plan,
    )

    choice = Choice(
        statuses=frozenset(status),
        reasons=frozenset(reason or ()),
        campaigns=frozenset(campaign or ()),
        routes=frozenset(route or ()),
        ids=frozenset(ids or ()),
        since=_moment(since, "--since"),
        until=_moment(until, "--until"),
    )
    access = _access(config)
    if dry_run:
        view.resends(run.look(access, choice))
        return

    def confirm(plan: Plan) -> bool:
        return view.agreed(len(plan.again), "send these again", yes=yes)

    sent = run.send_again(access, choice, view.resends, confirm)
    if sent:
        typer.echo(f"{sent:,} sent again")


@dlq.command("list")
def dlq_list(
    config: ConfigPath = DEFAULT,
    reason: Annotated[
        list[DeadLetterReason] | None, typer.Option(help="only with this reason")
    ] = None,
    topic: Annotated[list[str] | None, typer.Option(help="only from this topic")] = None,
    since: Since = None,
    as_json: Annotated[bool, typer.Option("--json", help="a JSON list of all")] = False,
) -> None:
    """Show dead letters: by reason and topic, and one by one."""
    from consumer.operations import view
    from consumer.operations.dead_letters import replay
    from consumer.operations.dead_letters.letters import Filter

    wanted = Filter(reason or (), topic or (), since=_moment(since, "--since"))
    found = replay.look(_access(config), wanted)
    if as_json:
        view.left_out(found.foreign, view.FOREIGN)
        typer.echo(json.dumps(view.as_json(found), indent=2))
    else:
        view.box(found)


@dlq.command("show")
def dlq_show(
    letter: Annotated[str, typer.Argument(help="as `dlq list` shows it: partition/offset")],
    config: ConfigPath = DEFAULT,
    value: Annotated[
        bool, typer.Option("--value", help="key, headers and value too: personal data")
    ] = False,
) -> None:
    """Explain one dead letter, and what to do about it."""
    from consumer.kafka.records.messages import (
        key_of,
        value_of,
    )
    from consumer.operations import view
    from consumer.operations.dead_letters import replay

    (place,) = _places([letter])
    found, record = replay.show(_access(config), place)
    view.letter(found)
    if value:
        typer.echo("what follows may hold personal data: keep it out of tickets and logs", err=True)
        view.original_headers(found, key_of(record))
        sys.stdout.flush()
        sys.stdout.buffer.write((value_of(record) or b"") + b"\n")


@dlq.command("replay")
def dlq_replay(
    letters: Annotated[
        list[str] | None, typer.Argument(help="as `dlq list` shows them: partition/offset")
    ] = None,
    config: ConfigPath = DEFAULT,
    reason: Annotated[
        list[DeadLetterReason] | None, typer.Option(help="all with this reason")
    ] = None,
    topic: Annotated[list[str] | None, typer.Option(help="all from this topic")] = None,
    everything: Annotated[bool, typer.Option("--all", help="all that there are")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Give dead letters back to be routed once more: once each, with their old identity."""
    from consumer.operations import view
    from consumer.operations.dead_letters import replay
    from consumer.operations.dead_letters.letters import Filter

    if not (letters or reason or topic or everything):
        raise typer.BadParameter("say which: partition/offset, --reason, --topic or --all")
    wanted = Filter(reason or (), topic or (), _places(letters or []))
    access = _access(config)
    if dry_run:
        view.replays(replay.plan(access, wanted))
        return

    def confirm(plan: replay.Plan) -> bool:
        return view.agreed(len(plan.going), "give these back", yes=yes)

    number = replay.give_back(access, wanted, view.replays, confirm)
    if number:
        typer.echo(f"{number:,} given back")


@lanes.command("list")
def lanes_list(config: ConfigPath = DEFAULT) -> None:
    """Show every lane, those that left the config too. Figures may be a moment old."""
    from consumer.operations import view
    from consumer.operations.lanes import lane_commands

    view.lanes(lane_commands.lanes(_access(config)))


@lanes.command("drain")
def lanes_drain(
    lane: Annotated[str, typer.Argument(help="a lane that is not in the config")],
    config: ConfigPath = DEFAULT,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Move what a lane still holds to the lanes that have its campaigns now."""
    _empty(_access(config), lane, close=False, yes=yes, dry_run=dry_run)


@lanes.command("close")
def lanes_close(
    lane: Annotated[str, typer.Argument(help="a lane that is not in the config")],
    config: ConfigPath = DEFAULT,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """End all that a lane still holds as `failed` (`lane_closed`)."""
    _empty(_access(config), lane, close=True, yes=yes, dry_run=dry_run)


def _empty(access: Access, lane: str, *, close: bool, yes: bool, dry_run: bool) -> None:
    from consumer.operations import view
    from consumer.operations.lanes.drain import LaneDrain
    from consumer.operations.lanes.drain_plan import STAYS

    def confirm(counts: Counts) -> bool:
        view.remains(counts)
        settled = sum(number for (_, fate), number in counts.items() if fate != STAYS)
        if settled != counts.total():
            typer.echo(
                f"what stays waits until the config has its campaign, or `lanes close {lane}` "
                "ends it"
            )
        if dry_run or not settled:
            return False
        return view.agreed(settled, "end these" if close else "settle these", yes=yes)

    counts = LaneDrain(access, lane, close).run(confirm)
    typer.echo("nothing was done" if counts is None else f"lane {lane}: done")


def _access(config: Path) -> Access:
    from consumer.kafka.reachability import require_broker
    from consumer.operations.access import Access

    loaded = load_config(config)
    require_broker(loaded.kafka)
    return Access(loaded)


def _places(texts: list[str]) -> list[LetterPlace]:
    from consumer.operations.dead_letters.letters import place_of

    places = []
    for text in texts:
        place = place_of(text)
        if place is None:
            raise typer.BadParameter(f"expected <partition>/<offset>, as in 0/42, found {text!r}")
        places.append(place)
    return places


def _moment(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    when = time_of(text)
    if when is not None:
        return when
    try:
        return time.time() - parse_duration(text)
    except ValueError:
        raise typer.BadParameter(
            "expected an RFC 3339 time with its offset, as in 2026-01-31T08:00:00+03:00, or how "
            "long ago, as in 2h",
            param_hint=option,
        ) from None
