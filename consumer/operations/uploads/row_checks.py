"""Checks all rows of a file before any is sent, by the router's own code.

A row that is broken, or that the router would reject or let expire, is held back: corrected, it
is sent with the file again. A row that a rule suppresses goes to the router all the same, and
gets its result there: the control group is counted by results.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple

from consumer.operations.uploads.columns import UnfitCellError
from consumer.operations.uploads.csv_rows import Row
from consumer.operations.uploads.row_records import RowRecords, UnfitRowError
from consumer.operations.uploads.row_store import RowStore
from consumer.records.input_record import InputRecord
from consumer.records.result import Result, Status
from consumer.routing.routed import Routed
from consumer.routing.router import Router

CHUNK: Final = 1000
"""Rows that the router is asked about together."""

_HELD_BACK: Final = frozenset({Status.REJECTED, Status.EXPIRED})

SENT_BEFORE: Final = "sent_before"
REPEATED: Final = "repeated"
UNREADABLE: Final = "unreadable"
MEANINGS: Final = {
    SENT_BEFORE: "An upload before this one sent the row.",
    REPEATED: "A row above has the same id.",
    UNREADABLE: "The row is no row of the table.",
}


class Note(NamedTuple):
    """Why a row brings no survey. `is_held`: it is not sent to the router at all; `fields`: of the
    invitation, that are missing or unfit; `columns`: by header."""

    row: int
    line: int
    reason: str
    meaning: str
    is_held: bool
    fields: Sequence[str] = ()
    columns: Sequence[str] = ()


class Batch(NamedTuple):
    """Invitations of one campaign."""

    lane: str
    campaign: str


@dataclass(slots=True)
class Checked:
    """What becomes of a file's rows. `bytes`, `invitations`: by campaign; `first_due`, `last_due`:
    of those that wait. The store has the identities."""

    rows: int = 0
    sending: int = 0
    links: int = 0
    held: Counter[str] = field(default_factory=Counter)
    suppressed: Counter[str] = field(default_factory=Counter)
    invitations: Counter[Batch] = field(default_factory=Counter)
    bytes: Counter[Batch] = field(default_factory=Counter)
    first_due: float | None = None
    last_due: float = 0.0

    def add_invitations(self, routed: Routed, now: float) -> None:
        """Count the invitations of some rows."""
        for made in routed.invitations:
            batch = Batch(made.lane, made.campaign)
            self.invitations[batch] += 1
            self.bytes[batch] += len(made.value)
            due = max(made.due_at, now)
            self.first_due = due if self.first_due is None else min(self.first_due, due)
            self.last_due = max(self.last_due, due)


class RowChecker:
    """Checks rows. `explain`: says of a rejected row what is wrong with its address; `note`: takes
    each note, in the order of rows."""

    def __init__(
        self,
        router: Router,
        topic: str,
        records: RowRecords,
        store: RowStore,
        note: Callable[[Note], None],
        explain: Callable[[InputRecord, float], str] = lambda _record, _now: "",
    ) -> None:
        self._router, self._topic, self._records, self._store = router, topic, records, store
        self._note, self._explain = note, explain

    def check(
        self, rows: Iterable[Row], now: float, advance: Callable[[], None] = lambda: None
    ) -> Checked:
        """Check all rows behind the header. `advance` is called after some of them."""
        self._store.begin_file()
        found = Checked()
        for some in _chunks(rows):
            self._check_chunk(some, now, found)
            advance()
        return found

    def _check_chunk(self, rows: Sequence[Row], now: float, found: Checked) -> None:
        notes: dict[int, Note] = {}
        identities: dict[int, bytes] = {}
        records: list[InputRecord] = []
        for row in rows:
            made = self._made(row)
            if isinstance(made, Note):
                notes[row.number] = made
            else:
                identity, value = made
                identities[row.number] = identity
                records.append(InputRecord(self._topic, 0, row.number, value))
        routed = self._router.route(records, now)
        notes |= self._notes(rows, records, routed, now)
        found.add_invitations(routed, now)
        found.links += sum(result["status"] == Status.ACCEPTED for result in routed.results)
        for row in rows:
            note = notes.get(row.number)
            goes = note is None or not note.is_held
            self._store.add_row(identities[row.number] if goes else None)
            found.rows += 1
            found.sending += goes
            if note is not None:
                (found.held if note.is_held else found.suppressed)[note.reason] += 1
                self._note(note)

    def _made(self, row: Row) -> tuple[bytes, bytes] | Note:
        """Return the row's identity and record, or why there is none."""
        if row.problem:
            return _held(row, UNREADABLE, row.problem)
        records = self._records
        try:
            content = records.content(row.cells)
            current, *previous = (one.base(content) for one in records.identities)
            ordinal = self._store.ordinal(current)
            if records.id_at is not None and ordinal:
                return _held(row, REPEATED, MEANINGS[REPEATED])
            identity, *former = (
                one.nth(base, ordinal)
                for one, base in zip(records.identities, (current, *previous), strict=True)
            )
            if any(map(self._store.was_sent, (identity, *former))):
                return _held(row, SENT_BEFORE, MEANINGS[SENT_BEFORE])
            return identity, records.value(identity, row.cells)
        except UnfitRowError as error:
            return _held(row, UNREADABLE, str(error))
        except UnfitCellError as error:
            return _held(row, UNREADABLE, "has a cell of another form", (error.column,))

    def _notes(
        self, rows: Sequence[Row], records: Sequence[InputRecord], routed: Routed, now: float
    ) -> Mapping[int, Note]:
        """Return the notes of rows of which no invitation and no link was made."""
        if not (routed.results or routed.dead_letters):
            return {}
        lines = {row.number: row.line for row in rows}
        asked = {record.offset: record for record in records}
        notes = {}
        for letter in routed.dead_letters:
            number = letter.source["offset"]
            meaning = f"{letter.reason.meaning} {letter.message}."
            notes[number] = Note(number, lines[number], letter.reason, meaning, is_held=True)
        for result in routed.results:
            number = result["source"]["offset"]
            if result["status"] != Status.ACCEPTED:
                why = self._meaning(result, asked[number], now)
                held = result["reason"].status in _HELD_BACK
                fields = tuple(result.get("fields", ()))
                notes[number] = Note(number, lines[number], result["reason"], why, held, fields)
        return notes

    def _meaning(self, result: Result, record: InputRecord, now: float) -> str:
        meaning = result["reason"].meaning
        more = self._explain(record, now) if result["status"] == Status.REJECTED else ""
        return f"{meaning} {more}".rstrip()


def _held(row: Row, reason: str, meaning: str, columns: Sequence[str] = ()) -> Note:
    return Note(row.number, row.line, reason, meaning, is_held=True, columns=columns)


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while some := list(islice(left, CHUNK)):
        yield some
