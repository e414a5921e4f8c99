"""`results`: what became of invitations, for people. The commands read, and change nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.command_group import Panel, command_group
from consumer.cli.operations import Since, Until
from consumer.cli.options import (
    DEFAULT_CONFIG,
    ConfigPath,
    Texts,
    access_to,
    one_of,
    parse_time_or_age,
    repeatable,
)
from consumer.cli.persons import Pseudonyms, Region, ask_persons

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from consumer.operations.results.columns import Row
    from consumer.operations.results.scan import ResultScan

results = command_group("Follow, search, count and export results.")

_RESULT = "consumer.records.result"
_FORMS = "consumer.operations.results.forms"
Status = Annotated[
    Texts, one_of(_RESULT, "Status", text="Only of this status; repeatable.", metavar="STATUS")
]
Reason = Annotated[Texts, one_of(_RESULT, "Reason", text="Only with this reason; repeatable.")]
Route = Annotated[Texts, repeatable("ROUTE", "Only of this route")]
Campaign = Annotated[Texts, repeatable("CAMPAIGN", "Only of this campaign")]
Batch = Annotated[Texts, repeatable("ID", "Only of this batch, as the log's calls name it")]
Event = Annotated[Texts, repeatable("ID", "Only of this event")]
Trace = Annotated[Texts, repeatable("TRACE_ID", "Only of an event of this trace")]
Person = Annotated[
    bool,
    typer.Option("--person", help="Only of a person, asked for or read from standard input."),
]
Form = Annotated[
    str,
    one_of(_FORMS, "Form", "--format", text="Output: table, jsonl or csv.", metavar="FORM"),
]
By = Annotated[
    str,
    typer.Option(
        metavar="FIELDS", help="Fields of a result, with commas; month, day, hour too (UTC)."
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(min=1, metavar="NUMBER", help="Only the newest so many; of a table 50."),
]
_ROWS = 50


@results.command("tail", rich_help_panel=Panel.LOOK)
def results_tail(
    config: ConfigPath = DEFAULT_CONFIG,
    status: Status = None,
    reason: Reason = None,
    route: Route = None,
    campaign: Campaign = None,
    batch: Batch = None,
    event: Event = None,
    trace: Trace = None,
    since: Since = None,
    person: Person = False,
    pseudonym: Pseudonyms = None,
    region: Region = None,
    form: Form = "table",
) -> None:
    """Show results as they come, a line each, until Ctrl-C."""
    from consumer.operations.results import forms
    from consumer.operations.results.columns import COLUMNS, row_of

    fields = _fields(status, reason, route, campaign, batch, event, trace)
    scan = _scan(config, fields, since, None, person, pseudonym, region)
    rows = map(row_of, scan.follow())
    try:
        is_table = form == forms.Form.TABLE
        lines = forms.text_lines(rows) if is_table else forms.lines_of(form, rows, COLUMNS)
        _print(lines, at_once=True)
    except KeyboardInterrupt:
        _report(scan)


@results.command("find", rich_help_panel=Panel.LOOK)
def results_find(
    config: ConfigPath = DEFAULT_CONFIG,
    status: Status = None,
    reason: Reason = None,
    route: Route = None,
    campaign: Campaign = None,
    batch: Batch = None,
    event: Event = None,
    trace: Trace = None,
    since: Since = None,
    until: Until = None,
    person: Person = False,
    pseudonym: Pseudonyms = None,
    region: Region = None,
    form: Form = "table",
    limit: Limit = None,
) -> None:
    """Show the results of the past that have what is asked for."""
    from consumer.operations.results import forms
    from consumer.operations.results.columns import COLUMNS, row_of

    fields = _fields(status, reason, route, campaign, batch, event, trace)
    scan = _scan(config, fields, since, until, person, pseudonym, region)
    rows: Iterable[Row] = map(row_of, scan)
    if form == forms.Form.TABLE or limit is not None:
        rows = forms.newest(rows, limit or _ROWS)
    if form == forms.Form.TABLE:
        forms.show_rows(rows)
    else:
        _print(forms.lines_of(form, rows, COLUMNS))
    _report(scan)


@results.command("summary", rich_help_panel=Panel.LOOK)
def results_summary(
    config: ConfigPath = DEFAULT_CONFIG,
    by: By = "route",
    status: Status = None,
    reason: Reason = None,
    route: Route = None,
    campaign: Campaign = None,
    batch: Batch = None,
    event: Event = None,
    trace: Trace = None,
    since: Since = None,
    until: Until = None,
    person: Person = False,
    pseudonym: Pseudonyms = None,
    region: Region = None,
    form: Form = "table",
) -> None:
    """Count results by any of their fields and by status, with shares and rates."""
    from consumer.operations.results import forms
    from consumer.operations.results.summary import Summary

    names = [name.strip() for name in by.split(",")]
    fields = _fields(status, reason, route, campaign, batch, event, trace)
    scan = _scan(config, fields, since, until, person, pseudonym, region)
    summary = Summary(names, chosen=scan.access.config.results.fields)
    for found in scan:
        summary.add(found)
    rows = summary.rows()
    if form == forms.Form.TABLE:
        forms.show_summary(rows, names)
    else:
        _print(forms.lines_of(form, rows, summary.columns))
    _report(scan)


@results.command("export", rich_help_panel=Panel.LOOK)
def results_export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="New file.")],
    form: Annotated[
        str,
        one_of(_FORMS, "FileForm", "--format", text="Form: jsonl, csv or parquet.", metavar="FORM"),
    ] = "jsonl",
    config: ConfigPath = DEFAULT_CONFIG,
    status: Status = None,
    reason: Reason = None,
    route: Route = None,
    campaign: Campaign = None,
    batch: Batch = None,
    event: Event = None,
    trace: Trace = None,
    since: Since = None,
    until: Until = None,
    person: Person = False,
    pseudonym: Pseudonyms = None,
    region: Region = None,
) -> None:
    """Write results to a file, with all their fields as columns."""
    from consumer.operations.results.columns import row_of
    from consumer.operations.results.export import export
    from consumer.operations.results.forms import FileForm

    fields = _fields(status, reason, route, campaign, batch, event, trace)
    scan = _scan(config, fields, since, until, person, pseudonym, region)
    number = export(file, FileForm(form), map(row_of, scan))
    _report(scan)
    typer.echo(f"{number:,} results written to {file}")


def _fields(
    status: Texts,
    reason: Texts,
    route: Texts,
    campaign: Texts,
    batch: Texts,
    event: Texts,
    trace: Texts,
) -> dict[str, list[str]]:
    from consumer.operations.results.choice import TRACE_ID

    asked: dict[str, Texts] = {
        "status": status,
        "reason": reason,
        "route": route,
        "campaign": campaign,
        "batch": batch,
        "event_id": event,
        TRACE_ID: [each.lower() for each in trace or ()],
    }
    return {name: values for name, values in asked.items() if values}


def _scan(
    config: Path,
    fields: Mapping[str, list[str]],
    since: str | None,
    until: str | None,
    person: bool,
    pseudonym: Texts,
    region: str | None,
) -> ResultScan:
    """Ask for the person, if one is to be named, and prepare the reading."""
    from consumer.operations.results.choice import Choice
    from consumer.operations.results.scan import ResultScan

    begin, end = parse_time_or_age(since, "--since"), parse_time_or_age(until, "--until")
    access = access_to(config)
    named = person or bool(pseudonym)
    persons = ask_persons(access.config, pseudonym, region) if named else []
    return ResultScan(access, Choice(fields, frozenset(persons), begin, end))


def _print(lines: Iterable[str], *, at_once: bool = False) -> None:
    """Print lines; `at_once`: none waits for the next in a buffer."""
    for line in lines:
        sys.stdout.write(line)
        if at_once:
            sys.stdout.flush()


def _report(scan: ResultScan) -> None:
    """Print on stderr what was read, what could not be, and what may be missing."""
    typer.echo(f"{scan.read:,} results read", err=True)
    if scan.truncated:
        text = "older results may be missing: the retention of the topic has deleted some"
        typer.echo(text, err=True)
    if scan.unread:
        places = ", ".join(scan.unread_places)
        more = " and others" if scan.unread > len(scan.unread_places) else ""
        text = f"{scan.unread:,} records could not be read as results and are left out: {places}"
        typer.echo(text + more, err=True)
