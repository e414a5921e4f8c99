"""Commands to running processes: `inputs`, `campaigns retry`, `lanes reopen`, `pause`, `resume`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.command_group import Panel, command_group
from consumer.cli.options import (
    DEFAULT_CONFIG,
    ConfigPath,
    DryRun,
    Json,
    Yes,
    access_to,
    parse_position,
    position_option,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.observability.status.status import PauseStatus
    from consumer.operations.inputs import GoOn, Start
    from consumer.records.pause import Pausable

_WHAT = "route, campaign, vendor or everything."

inputs = command_group("List input partitions and resume those that are stopped.")
campaigns = command_group("Retry a parked campaign or one with an open circuit breaker.")


@inputs.command("list", rich_help_panel=Panel.LOOK)
def inputs_list(config: ConfigPath = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """List input partitions: committed offset, range of the log, lag and state."""
    from consumer.operations import view
    from consumer.operations.inputs import look
    from consumer.operations.tables import table

    found = look(access_to(config))
    if as_json:
        typer.echo(json.dumps([view.input_as_json(partition) for partition in found], indent=2))
        return
    rows = []
    for entry in found:
        offset, waiting = (
            ("none", "") if entry.offset < 0 else (entry.offset, entry.high - entry.offset)
        )
        rows.append(
            (entry.topic, entry.partition, offset, entry.low, entry.high, waiting, entry.state)
        )
    table(("topic", "partition", "offset", "log begins", "ends", "waiting", "state"), rows)


@inputs.command("resume", rich_help_panel=Panel.MEND)
def inputs_resume(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="TOPIC:PARTITION, or TOPIC for all stopped ones (input or delay topic).",
        ),
    ],
    begin: Annotated[
        str,
        position_option(
            "--from",
            "Where to read on: stopped (where it stands), earliest, latest, an offset or an RFC "
            "3339 time.",
        ),
    ],
    config: ConfigPath = DEFAULT_CONFIG,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Resume stopped input partitions; processes may run meanwhile."""
    from consumer.operations.inputs import STOPPED

    topic, partition = _parse_target(target)
    start = begin if begin == STOPPED else parse_position(begin, "--from")
    resume_input(config, topic, partition, start, yes=yes, dry_run=dry_run)


def resume_input(
    config: Path, topic: str, partition: int | None, start: Start, *, yes: bool, dry_run: bool
) -> None:
    """Show where stopped partitions would go on, and let them."""
    from consumer.operations import view
    from consumer.operations.inputs import resume
    from consumer.operations.tables import table

    def confirm(plan: Sequence[GoOn]) -> bool:
        rows = []
        for step in plan:
            seen = step.seen if step.seen >= 0 else "none"
            rows.append((step.topic, step.partition, seen, step.offset, step.reads, step.skips))
        heads = ("topic", "partition", "offset now", "goes on at", "records to read", "passed over")
        table(heads, rows)
        return not dry_run and view.confirm_number(len(plan), "let these go on", yes=yes)

    done_in_time = resume(access_to(config), topic, partition, start, confirm)
    _report(done_in_time, "they are read again", "`survey-dispatcher inputs list`")


def lanes_reopen(
    lane: Annotated[
        str, typer.Argument(metavar="LANE", help="Lane that makes no calls after a 429.")
    ],
    config: ConfigPath = DEFAULT_CONFIG,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """End the pause of a lane after a 429, such as a Retry-After of a day.

    Calls that the lane made still count against its limits.
    """
    from consumer.operations import view
    from consumer.operations.lanes.lane_commands import reopen_lane, silent_until
    from consumer.records.fields import rfc3339

    access = access_to(config)
    until = silent_until(access, lane)
    lasts = max(0.0, until - access.now())
    typer.echo(f"lane {lane} is silent until {rfc3339(until)}, {lasts:,.0f} s from now")
    if dry_run or not view.confirm_number(1, "call the vendor again now", yes=yes):
        typer.echo("nothing was done")
        return
    done_in_time = reopen_lane(access, lane, until)
    _report(
        done_in_time, f"lane {lane} calls again, as its limits allow", "`survey-dispatcher status`"
    )


@campaigns.command("retry", rich_help_panel=Panel.MEND)
def campaigns_retry(
    campaign: Annotated[
        str,
        typer.Argument(
            metavar="CAMPAIGN", help="Campaign that is parked, or whose circuit breaker is open."
        ),
    ],
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Retry a campaign now, after it was fixed at the vendor."""
    from consumer.operations.lanes.lane_commands import retry_campaign

    retry_campaign(access_to(config), campaign)
    typer.echo(
        f"sent: {campaign} is called again within seconds, if its limits allow it; the log's "
        "`campaign_retried` and `survey-dispatcher status` show it"
    )


def pause(
    what: Annotated[
        str | None, typer.Argument(metavar="[WHAT]", help=f"What to pause: {_WHAT}")
    ] = None,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Its name in the config.")
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    why: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Reason that others see; no personal data, please."),
    ] = None,
    only_list: Annotated[bool, typer.Option("--list", help="List what is paused.")] = False,
    as_json: Json = False,
) -> None:
    """Pause a route, a campaign, a vendor or everything; without arguments list what is paused.

    Running processes obey within seconds, and a restart changes nothing. What is paused waits until
    `resume`, or until it expires.
    """
    from consumer.operations import pauses

    if what is None or only_list:
        found = pauses.look(access_to(config))
        if as_json:
            typer.echo(json.dumps([asdict(paused) for paused in found], indent=2))
        else:
            _show_pauses(found, none="nothing is paused")
        return
    thing = _parse_thing(what, name)
    if why is not None and not pauses.is_reason(why):
        raise typer.BadParameter("expected 1 to 200 characters", param_hint="--why")
    pauses.pause(access_to(config), thing, why)
    typer.echo(
        f"paused: {thing.text}; running processes obey within seconds, `survey-dispatcher status` "
        f"shows it, `survey-dispatcher resume {thing.text}` ends it"
    )


def resume(
    what: Annotated[str, typer.Argument(metavar="WHAT", help=f"What to resume: {_WHAT}")],
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Its name in the config.")
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """End a pause by command: what waits is called again within seconds.

    What the config pauses stays paused.
    """
    from consumer.operations import pauses

    thing = _parse_thing(what, name)
    left = pauses.resume(access_to(config), thing)
    typer.echo(f"resumed: {thing.text}; delayed invitations return within seconds")
    if left:
        typer.echo("still paused, and so is what belongs to it:")
        _show_pauses(left)


def _parse_thing(what: str, name: str | None) -> Pausable:
    from consumer.records.pause import Pausable, PauseKind

    if what not in set(PauseKind):
        raise typer.BadParameter(f"expected {_WHAT[:-1]}, found {what!r}", param_hint="WHAT")
    thing = Pausable.from_key(f"{what}|{name or ''}")
    if thing is None:
        expected = "no name" if what == PauseKind.EVERYTHING else f"the name of a {what}"
        raise typer.BadParameter(f"expected {expected}, found {name!r}", param_hint="NAME")
    return thing


def _show_pauses(found: Sequence[PauseStatus], none: str = "") -> None:
    from consumer.operations import view

    if found:
        view.pause_table(found)
    else:
        typer.echo(none)


def _report(done_in_time: bool | None, done: str, where: str) -> None:
    if done_in_time is None:
        typer.echo("nothing was done")
    elif done_in_time:
        typer.echo(f"done: {done}")
    else:
        typer.echo(
            f"sent to the processes, but not done yet: look at {where}; it lapses in 15 minutes"
        )


def _parse_target(text: str) -> tuple[str, int | None]:
    topic, colon, number = text.partition(":")
    if topic and (not colon or number.isdecimal()):
        return topic, int(number) if colon else None
    raise typer.BadParameter(f"expected TOPIC or TOPIC:PARTITION, as in pos:0, found {text!r}")
