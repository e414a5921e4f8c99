"""`survey-dispatcher send-csv`: its options; what it needs is imported when it runs."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.options import (
    DEFAULT_CONFIG,
    ConfigPath,
    DryRun,
    Texts,
    Yes,
    load_config,
    parse_time,
    repeatable,
)

if TYPE_CHECKING:
    from consumer.operations.uploads.row_checks import Checked


def send_csv(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file with a header.")],
    route: Annotated[
        str, typer.Option("--route", metavar="ROUTE", help="Route of the config that sends them.")
    ],
    config: ConfigPath = DEFAULT_CONFIG,
    column: Annotated[
        Texts,
        repeatable(
            "HEADER=PATH",
            'Where a column stands in the event, as "Telefon=customer.phone"; with :boolean behind '
            "it true or false; HEADER= leaves it out",
        ),
    ] = None,
    columns: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The same as a YAML file: HEADER: PATH in each line."),
    ] = None,
    id_column: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="HEADER",
            help="Column by which a row is known again; else by all of its content.",
        ),
    ] = None,
    time_column: Annotated[
        str | None,
        typer.Option("--time", metavar="HEADER", help="Column with the transaction's time."),
    ] = None,
    time_format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT", help="Its form, as in %d.%m.%Y; else ISO 8601 or epoch time."
        ),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Zone of times without one, as Europe/Istanbul."),
    ] = None,
    not_before: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Nothing is sent before, as in 2026-12-01T09:00+03:00; delays count from then.",
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of the file, as in windows-1254; else it is found."),
    ] = None,
    separator: Annotated[
        str | None,
        typer.Option(metavar="SIGN", help="Between cells: a sign, or tab; else it is found."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV file for the rows that are not sent, and why."),
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Send the rows of a CSV file by one route, each row once.

    All rows are checked before any is sent. The command may be repeated: a row that was sent is
    not sent again, so a broken upload goes on where it stopped, and of a corrected file the
    corrected rows are sent.
    """
    from consumer.kafka.reachability import require_broker
    from consumer.operations import view
    from consumer.operations.access import Access
    from consumer.operations.uploads import upload as uploads
    from consumer.operations.uploads.columns import mapping_of
    from consumer.operations.uploads.csv_file import CsvFile
    from consumer.operations.uploads.view import FirstNotes, progress_of, show_preview

    now, sign = time.time(), _separator(separator)
    _check_zone(timezone)
    asked = uploads.Asked(
        route,
        mapping_of(column or [], columns),
        id_column,
        time_column,
        time_format,
        timezone,
        0.0 if not_before is None else _not_before(not_before, timezone, now),
        report,
    )
    loaded = load_config(config)
    found = CsvFile.find(file, encoding, sign)
    upload = uploads.Upload(loaded, found, asked, now)
    show_preview(loaded, upload)
    require_broker(loaded.kafka)
    access = Access(loaded)
    first, progress = FirstNotes(), progress_of(found.size)

    def show(checked: Checked) -> None:
        from consumer.operations.uploads.call_forecast import forecast
        from consumer.operations.uploads.view import show_checks
        from consumer.wiring.build import lane_settings

        names = dict.fromkeys(batch.lane for batch in checked.invitations)
        lanes = {name: lane_settings(access.config, name) for name in names}
        show_checks(upload, checked, first.notes, forecast(checked, lanes, access.now()))

    def confirm(checked: Checked) -> bool:
        show(checked)
        if not checked.sending:
            typer.echo("nothing to send")
            return False
        return view.confirm_number(checked.sending, "send these rows", yes=yes)

    if dry_run:
        show(uploads.dry_run(access, upload, progress, first.take))
        typer.echo("nothing was sent: --dry-run")
        return
    number = uploads.send(access, upload, confirm, progress, first.take)
    if number:
        typer.echo(f"{number:,} rows sent to route {route}; `results` shows how each ended")


def _check_zone(name: str | None) -> None:
    from consumer.policy.zones import known_zone

    if name is not None and known_zone(name) is None:
        raise typer.BadParameter(
            f"expected a name as Europe/Istanbul, found {name!r}", param_hint="--timezone"
        )


def _not_before(text: str, zone: str | None, now: float) -> float:
    """Return epoch seconds, 0 for a time that has passed. Raises BadParameter."""
    from zoneinfo import ZoneInfo

    from consumer.records.upload import MAX_WAIT

    when = parse_time(text)
    if when is None and zone is not None:
        try:
            when = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()
        except ValueError:
            when = None
    if when is None:
        expected = "expected a time with its offset, as in 2026-12-01T09:00+03:00, or --timezone"
        raise typer.BadParameter(expected, param_hint="--not-before")
    if when - now > MAX_WAIT:
        days = f"at most {MAX_WAIT / 86_400:.0f} days ahead: delay topics keep no record longer"
        raise typer.BadParameter(f"expected a time {days}", param_hint="--not-before")
    return when if when > now else 0.0


def _separator(text: str | None) -> str | None:
    sign = "\t" if text in {"tab", "\\t"} else text
    if sign is not None and len(sign) != 1:
        raise typer.BadParameter("expected one sign, or tab", param_hint="--separator")
    return sign
