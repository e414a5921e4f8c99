"""Commands that end a silence while processes run: `inputs`, `campaigns`, `lanes reopen`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.options import (
    ConfigPath,
    load_config,
    time_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.operations.access import (
        Access,
        Given,
    )
    from consumer.operations.inputs import (
        GoOn,
        Start,
    )

inputs = typer.Typer(
    help="Inputs: where each partition stands, going on with those that stand still.",
    no_args_is_help=True,
)

campaigns = typer.Typer(
    help="Campaigns: try one again that is parked or held back.", no_args_is_help=True
)

DEFAULT = Path("routing.yaml")
Yes = Annotated[bool, typer.Option("--yes", help="do not ask")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="show what would be done, and end")]


@inputs.command("list")
def inputs_list(config: ConfigPath = DEFAULT) -> None:
    """Show each partition: the group's offset, what its log holds, whether it stands still."""
    from consumer.operations import view
    from consumer.operations.inputs import look

    rows = [
        (
            each.topic,
            each.partition,
            each.offset if each.offset >= 0 else "none",
            each.low,
            each.high,
            each.high - each.offset if each.offset >= 0 else "",
            each.state,
        )
        for each in look(_access(config))
    ]
    view.table(("topic", "partition", "offset", "log begins", "ends", "waiting", "state"), rows)


@inputs.command("resume")
def inputs_resume(
    target: Annotated[
        str,
        typer.Argument(
            help="TOPIC:PARTITION, or TOPIC for all that stand; an input or a delay topic"
        ),
    ],
    begin: Annotated[
        str, typer.Option("--from", help="earliest, latest, an offset or an RFC 3339 time")
    ],
    config: ConfigPath = DEFAULT,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Go on reading partitions that stand still; processes may run or not."""
    from consumer.operations import view
    from consumer.operations.inputs import resume

    topic, partition = _target(target)

    def confirm(plan: Sequence[GoOn]) -> bool:
        rows = [
            (
                each.topic,
                each.partition,
                each.seen if each.seen >= 0 else "none",
                each.offset,
                each.reads,
                each.skips,
            )
            for each in plan
        ]
        heads = ("topic", "partition", "offset now", "goes on at", "records to read", "passed over")
        view.table(heads, rows)
        return not dry_run and view.agreed(len(plan), "let these go on", yes=yes)

    given = resume(_access(config), topic, partition, _start(begin), confirm)
    _said(given, "they are read again", "`survey-dispatcher inputs list`")


def lanes_reopen(
    lane: Annotated[str, typer.Argument(help="a lane that is silent after a 429")],
    config: ConfigPath = DEFAULT,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """End the silence of a lane after a 429, as a Retry-After of a day. Its calls still count."""
    from consumer.operations import view
    from consumer.operations.lanes.lane_commands import (
        lasts,
        reopen,
        silence,
    )
    from consumer.records.fields import rfc3339

    access = _access(config)
    until = silence(access, lane)
    typer.echo(f"lane {lane} is silent until {rfc3339(until)}, {lasts(until):,.0f} s from now")
    if dry_run or not view.agreed(1, "call the vendor again now", yes=yes):
        typer.echo("nothing was done")
        return
    given = reopen(access, lane, until)
    _said(given, f"lane {lane} calls again, as its limits allow", "`survey-dispatcher status`")


@campaigns.command("retry")
def campaigns_retry(
    campaign: Annotated[
        str, typer.Argument(help="a campaign that is parked or whose circuit is open")
    ],
    config: ConfigPath = DEFAULT,
) -> None:
    """Try a parked or held back campaign again now, once it was mended at the vendor."""
    from consumer.operations.lanes.lane_commands import retry

    retry(_access(config), campaign)
    typer.echo(
        f"told: {campaign} is called again within seconds, if its limits allow it; the log's "
        "`campaign_retried` and `survey-dispatcher status` show it"
    )


def _said(given: Given | None, done: str, where: str) -> None:
    if given is None:
        typer.echo("nothing was done")
    elif given.done:
        typer.echo(f"done: {done}")
    else:
        typer.echo(
            f"told to the processes, but not done yet: look at {where}; it lapses in 15 minutes"
        )


def _target(text: str) -> tuple[str, int | None]:
    topic, colon, number = text.partition(":")
    if topic and (not colon or number.isdecimal()):
        return topic, int(number) if colon else None
    raise typer.BadParameter(f"expected TOPIC or TOPIC:PARTITION, as in pos:0, found {text!r}")


def _start(text: str) -> Start:
    if text in ("earliest", "latest"):
        return text
    if text.isdecimal():
        return int(text)
    when = time_of(text)
    if when is None:
        raise typer.BadParameter(
            "expected earliest, latest, an offset or an RFC 3339 time with its offset, as in "
            "2026-01-31T08:00:00+03:00",
            param_hint="--from",
        )
    return when


def _access(config: Path) -> Access:
    from consumer.operations.access import Access

    return Access(load_config(config))
