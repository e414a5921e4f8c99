"""The operator's commands: `status`, `resend`, `dlq`, `lanes`.

A command that writes shows its plan first and asks. What a command needs is imported when it is
called.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.command_group import Panel, command_group
from consumer.cli.options import (
    DEFAULT_CONFIG,
    ConfigPath,
    DryRun,
    Json,
    Texts,
    Yes,
    access_to,
    config_option,
    one_of,
    parse_time_or_age,
    repeatable,
)

if TYPE_CHECKING:
    from consumer.operations.dead_letters.letters import LetterPlace
    from consumer.operations.lanes.drain_plan import Counts

dlq = command_group("List, explain and replay dead letters.")
lanes = command_group("List lanes, reopen them, and empty those that left the config.")

Since = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Only from this RFC 3339 time on, or so long ago: 2h."),
]
Until = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Only before this RFC 3339 time, or so long ago: 2h."),
]
GoneLane = Annotated[str, typer.Argument(metavar="LANE", help="Lane that is not in the config.")]
TOKEN_VARIABLE = "SURVEY_DISPATCHER_TOKEN"  # noqa: S105 - a name
_PLACE = "Dead letter as `dlq list` shows it: PARTITION/OFFSET."
_LETTER_REASON = "consumer.records.dead_letter", "DeadLetterReason"


def status(
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Admin port of a running dispatcher, by default http://localhost:9464.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        config_option(
            "Read the topics of this routing config instead: works with no process running."
        ),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option("--ca", metavar="FILE", help="Authority to trust of an https URL, in PEM."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar=TOKEN_VARIABLE, hidden=True, help="Token of the admin port."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """Show lanes, permits, windows and calls of a running dispatcher.

    Where its config has `admin.token`, set SURVEY_DISPATCHER_TOKEN to it.
    """
    from consumer.observability.status.status import dump
    from consumer.operations.status import screen
    from consumer.operations.status.status import LOCAL, read_process, read_topics

    if watch and as_json:
        raise typer.BadParameter("--watch redraws a terminal, --json prints once: choose one")
    if url is not None and config is not None:
        raise typer.BadParameter("--url asks a process, --config reads the topics: choose one")
    look, every = partial(read_process, url or LOCAL, token, ca), screen.EVERY
    if config is not None:
        look, every = partial(read_topics, access_to(config)), screen.EVERY_FROM_TOPICS
    if as_json:
        typer.echo(dump(look()))
    elif watch:
        screen.watch(look, every)
    else:
        screen.once(look)


def resend(
    status: Annotated[
        list[str],
        one_of(
            "consumer.operations.resend.selection",
            "Resendable",
            text="Status of the result: unknown, failed, rejected or expired; repeatable.",
            metavar="STATUS",
        ),
    ],
    config: ConfigPath = DEFAULT_CONFIG,
    reason: Annotated[
        Texts,
        one_of("consumer.records.result", "Reason", text="Only with this reason; repeatable."),
    ] = None,
    since: Since = None,
    until: Until = None,
    campaign: Annotated[Texts, repeatable("CAMPAIGN", "Only of this campaign")] = None,
    route: Annotated[Texts, repeatable("ROUTE", "Only of this route")] = None,
    ids: Annotated[Texts, repeatable("ID", "Only this invitation", "--id")] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Resend invitations that ended unknown, failed, rejected or expired, once each."""
    from consumer.operations import view
    from consumer.operations.resend import run
    from consumer.operations.resend.selection import Choice, Plan

    choice = Choice(
        statuses=frozenset(status),
        reasons=frozenset(reason or ()),
        campaigns=frozenset(campaign or ()),
        routes=frozenset(route or ()),
        ids=frozenset(ids or ()),
        since=parse_time_or_age(since, "--since"),
        until=parse_time_or_age(until, "--until"),
    )
    access = access_to(config)
    if dry_run:
        view.resend_plan(run.plan(access, choice))
        return

    def confirm(plan: Plan) -> bool:
        view.resend_plan(plan)
        return bool(plan.again) and view.confirm_number(
            len(plan.again), "send these again", yes=yes
        )

    sent = run.resend_chosen(access, choice, confirm)
    if sent:
        typer.echo(f"{sent:,} sent again")


@dlq.command("list", rich_help_panel=Panel.LOOK)
def dlq_list(
    config: ConfigPath = DEFAULT_CONFIG,
    reason: Annotated[
        Texts, one_of(*_LETTER_REASON, text="Only with this reason; repeatable.")
    ] = None,
    topic: Annotated[Texts, repeatable("TOPIC", "Only from this topic")] = None,
    since: Since = None,
    as_json: Json = False,
) -> None:
    """List dead letters, and count them by reason and topic."""
    from consumer.operations import view
    from consumer.operations.dead_letters import replay
    from consumer.operations.dead_letters.letters import Filter

    wanted = Filter(reason or (), topic or (), since=parse_time_or_age(since, "--since"))
    found = replay.read_letters(access_to(config), wanted)
    if as_json:
        view.left_out(found.foreign, view.FOREIGN)
        typer.echo(json.dumps(view.as_json(found), indent=2))
    else:
        view.letter_list(found)


@dlq.command("show", rich_help_panel=Panel.LOOK)
def dlq_show(
    letter: Annotated[str, typer.Argument(metavar="LETTER", help=_PLACE)],
    config: ConfigPath = DEFAULT_CONFIG,
    value: Annotated[
        bool,
        typer.Option("--value", help="Print key, headers and value, too: they are personal data."),
    ] = False,
) -> None:
    """Explain one dead letter and what to do about it."""
    from consumer.kafka.records.messages import key_of, value_of
    from consumer.operations import view
    from consumer.operations.dead_letters import replay

    (place,) = _parse_places([letter])
    found, record = replay.show(access_to(config), place)
    view.letter_details(found)
    if value:
        typer.echo("what follows may hold personal data: keep it out of tickets and logs", err=True)
        view.original_headers(found, key_of(record))
        sys.stdout.flush()
        sys.stdout.buffer.write((value_of(record) or b"") + b"\n")


@dlq.command("replay", rich_help_panel=Panel.MEND)
def dlq_replay(
    letters: Annotated[Texts, typer.Argument(metavar="LETTER", help=_PLACE)] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    reason: Annotated[
        Texts, one_of(*_LETTER_REASON, text="All with this reason; repeatable.")
    ] = None,
    topic: Annotated[Texts, repeatable("TOPIC", "All from this topic")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Route dead letters again after a fix, once each and with their first identity."""
    from consumer.operations import view
    from consumer.operations.dead_letters import replay
    from consumer.operations.dead_letters.letters import Filter

    if not (letters or reason or topic or everything):
        raise typer.BadParameter("say which: partition/offset, --reason, --topic or --all")
    wanted = Filter(reason or (), topic or (), _parse_places(letters or []))
    access = access_to(config)
    if dry_run:
        view.replay_plan(replay.plan(access, wanted))
        return

    def confirm(plan: replay.Plan) -> bool:
        view.replay_plan(plan)
        return bool(plan.going) and view.confirm_number(len(plan.going), "replay these", yes=yes)

    number = replay.replay_letters(access, wanted, confirm)
    if number:
        typer.echo(f"{number:,} replayed")


@dlq.command("continue", rich_help_panel=Panel.MEND)
def dlq_continue(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Input topic that was stopped.")],
    config: ConfigPath = DEFAULT_CONFIG,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Read on an input that stopped because too much of it became dead letters.

    It stops again if the next records are no better; a corrected config ends the stop by itself.
    """
    from consumer.cli.live_commands import resume_input
    from consumer.operations.inputs import STOPPED

    resume_input(config, topic, None, STOPPED, yes=yes, dry_run=dry_run)


@lanes.command("list", rich_help_panel=Panel.LOOK)
def lanes_list(config: ConfigPath = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """List all lanes, with those that left the config; figures may be a moment old."""
    from consumer.operations import view
    from consumer.operations.lanes import lane_commands

    found = lane_commands.list_lanes(access_to(config))
    if as_json:
        typer.echo(json.dumps([view.lane_as_json(*lane) for lane in found], indent=2))
    else:
        view.lane_table(found)


@lanes.command("drain", rich_help_panel=Panel.MEND)
def lanes_drain(
    lane: GoneLane,
    config: ConfigPath = DEFAULT_CONFIG,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Move the invitations of a lane that left the config to the lanes of their campaigns."""
    _empty_lane(config, lane, close=False, yes=yes, dry_run=dry_run)


@lanes.command("close", rich_help_panel=Panel.MEND)
def lanes_close(
    lane: GoneLane,
    config: ConfigPath = DEFAULT_CONFIG,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """End the invitations of a lane that left the config as `failed/lane_closed`."""
    _empty_lane(config, lane, close=True, yes=yes, dry_run=dry_run)


def _empty_lane(config: Path, lane: str, *, close: bool, yes: bool, dry_run: bool) -> None:
    from consumer.operations import view
    from consumer.operations.lanes.drain import LaneDrain
    from consumer.operations.lanes.drain_plan import STAYS

    def confirm(counts: Counts) -> bool:
        view.drain_counts(counts)
        settled = sum(number for (_, fate), number in counts.items() if fate != STAYS)
        if settled != counts.total():
            typer.echo(
                f"what stays waits until the config has its campaign, or `lanes close {lane}` "
                "ends it"
            )
        if dry_run or not settled:
            return False
        return view.confirm_number(settled, "end these" if close else "settle these", yes=yes)

    counts = LaneDrain(access_to(config), lane, close).run(confirm)
    typer.echo("nothing was done" if counts is None else f"lane {lane}: done")


def _parse_places(texts: list[str]) -> list[LetterPlace]:
    from consumer.operations.dead_letters.letters import place_of

    places = []
    for text in texts:
        place = place_of(text)
        if place is None:
            raise typer.BadParameter(f"expected <partition>/<offset>, as in 0/42, found {text!r}")
        places.append(place)
    return places
