"""What `send-csv` shows: the file's form, the preview, the checks, the forecast.

No cell is shown as it is: addresses keep two characters at each end, of all else the length is
shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from consumer.config.durations import duration_text
from consumer.config.models import Config
from consumer.operations.explain.masking import Masking
from consumer.operations.tables import clean, table
from consumer.operations.uploads.call_forecast import LaneForecast
from consumer.operations.uploads.report import columns_of, outcome_of
from consumer.operations.uploads.route_reads import ADDRESSES
from consumer.operations.uploads.row_checks import MEANINGS, Checked, Note
from consumer.operations.uploads.upload import Progress as ProgressSteps
from consumer.operations.uploads.upload import Upload
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.fields import rfc3339
from consumer.records.result import Reason

ROWS_SHOWN: Final = 3
NOTES_SHOWN: Final = 10
_MASKING: Final = Masking()


@dataclass(slots=True)
class FirstNotes:
    """Keeps the first notes, to be shown; those of rows that were sent before are only counted."""

    notes: list[Note] = field(default_factory=list)

    def take(self, note: Note) -> None:
        """Take a note."""
        if len(self.notes) < NOTES_SHOWN and note.reason != "sent_before":
            self.notes.append(note)


def show_preview(config: Config, upload: Upload) -> None:
    """Print how the file is read, what the route finds in it, and its first rows."""
    file, found = upload.file, upload.preview
    typer.echo(f"{file.path}: {file.size:,} bytes, {file.form.text}")
    letters = "".join(sorted(_letters(upload)))
    typer.echo(f"letters beyond ASCII in the first rows: {clean(letters) or 'none'}")
    typer.echo(f"route {upload.route.name}: what it reads, and where the file has it")
    rows = [
        (
            one.name,
            one.expression,
            ", ".join(one.columns) or "no column",
            f"{one.rows} of {found.rows}",
            one.example,
        )
        for one in found.found
    ]
    table(("part", "read at", "column", "found in", "for example"), rows)
    if found.unread:
        typer.echo(f"nothing reads these columns: {', '.join(map(clean, found.unread))}")
    typer.echo(f"the first {len(upload.sample[:ROWS_SHOWN])} rows, masked")
    table(
        ("row", *(column.name for column in upload.columns.kept)),
        [(str(row.number), *_masked(upload, row.cells)) for row in upload.sample[:ROWS_SHOWN]],
    )
    for warning in _warnings(config, upload):
        typer.echo(f"warning: {warning}", err=True)


def show_checks(
    upload: Upload, checked: Checked, first: Sequence[Note], lanes: Sequence[LaneForecast]
) -> None:
    """Print what becomes of the rows, and when they would be sent."""
    rows = [("will be sent", "", _number_of_surveys(checked), "")]
    rows += _counted("no survey", checked.suppressed)
    rows += _counted("not sent", checked.held)
    table(("outcome", "reason", "rows", "meaning"), rows)
    if first:
        typer.echo("the first of these rows" + ("" if upload.asked.report else _REPORT_HINT))
        table(
            ("row", "outcome", "reason", "explanation", "columns"),
            [
                (
                    str(note.row),
                    outcome_of(note),
                    note.reason,
                    note.meaning,
                    columns_of(note, upload.preview.columns_of),
                )
                for note in first
            ],
        )
    if upload.asked.report:
        typer.echo(f"report: {upload.asked.report}")
    if lanes:
        typer.echo("calls, at an unused quota and with no other traffic")
        table(
            ("lane", "invitations", "calls", "they take", "the last is sent about"),
            [
                (lane.lane, lane.invitations, lane.calls, _lasting(lane.seconds), _at(lane.last_at))
                for lane in lanes
            ],
        )


_REPORT_HINT: Final = " (--report FILE has all of them)"


def progress_of(size: int) -> ProgressSteps:
    """Return what shows the progress of steps through a file of so many bytes, on a terminal."""
    console = Console(stderr=True)

    @contextmanager
    def step(name: str) -> Iterator[Callable[[int], None]]:
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        with bar:
            task = bar.add_task(name, total=size)
            yield lambda read: bar.update(task, completed=read)

    return step


def _number_of_surveys(checked: Checked) -> int:
    return checked.invitations.total() + checked.links


def _counted(outcome: str, counts: Counter[str]) -> list[tuple[str, str, int, str]]:
    return [(outcome, reason, n, _meaning(reason)) for reason, n in counts.most_common()]


def _meaning(reason: str) -> str:
    if reason in MEANINGS:
        return MEANINGS[reason]
    known: dict[str, str] = {one.value: one.meaning for one in DeadLetterReason}
    known |= {one.value: one.meaning for one in Reason}
    return known[reason]


def _letters(upload: Upload) -> set[str]:
    return {
        letter
        for row in upload.sample
        for cell in row.cells
        if not cell.isascii()
        for letter in cell
        if not letter.isascii()
    }


def _masked(upload: Upload, cells: Sequence[str]) -> Iterator[str]:
    addresses = {name for kind in ADDRESSES for name in upload.preview.columns_of(kind)}
    for column in upload.columns.kept:
        cell = cells[column.at]
        yield str(_MASKING.address(cell) if column.name in addresses else _MASKING.data(cell))


def _warnings(config: Config, upload: Upload) -> Iterator[str]:
    route, waits = upload.route, upload.asked.not_before
    if route.mode != "live":
        yield f"route {route.name} is in mode {route.mode}"
    campaigns = {name: config.campaigns[name] for name in route.campaigns}
    paused = [f"route {route.name}"] if route.paused else []
    paused += [f"campaign {name}" for name, campaign in campaigns.items() if campaign.paused]
    if paused:
        yield f"{', '.join(paused)} is paused: invitations wait, or expire"
    for one in upload.preview.found:
        if one.name.startswith("consent ") and one.rows and one.example.startswith("<text"):
            yield (
                f"{one.name} is agreed to by `true` alone, and `{one.expression}` finds text: "
                f'map its column with :boolean, as in --column "HEADER={one.expression}:boolean"'
            )
    if waits:
        yield f"no invitation is sent before {rfc3339(waits)}"


def _lasting(seconds: float) -> str:
    return duration_text(float(round(seconds))) if seconds >= 1 else "at once"


def _at(moment: float) -> str:
    return rfc3339(moment)[:16].replace("T", " ") + " UTC"
