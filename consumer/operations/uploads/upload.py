"""An upload: what a business unit asks for, the plan of it, and the sending.

Two commands of one route at once: the second fences the first, whose transactions then fail.
Nothing is sent twice, since both read which rows were sent. After a kill at any moment the same
command sends the rest: a row and its identity become visible together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Producer

from consumer.config.models import Config, Route
from consumer.errors import OperationError
from consumer.kafka.transaction_size import TransactionSize
from consumer.operations.access import Access
from consumer.operations.explain.masking import Masking
from consumer.operations.explain.recipient import recipient_answers
from consumer.operations.uploads.columns import Columns, UnfitCellError
from consumer.operations.uploads.csv_file import CsvFile
from consumer.operations.uploads.identity import RowIdentity
from consumer.operations.uploads.report import report_to
from consumer.operations.uploads.route_reads import Preview, preview
from consumer.operations.uploads.row_checks import Checked, Note, RowChecker
from consumer.operations.uploads.row_records import RowRecords, RowTimes
from consumer.operations.uploads.row_store import RowStore
from consumer.operations.uploads.sent_rows import load_sent, refuse_unfit_topics, write_rows
from consumer.records.fields import rfc3339
from consumer.records.input_record import InputRecord
from consumer.wiring.build import build_router, build_vendors

NAME: Final = "send-csv."
"""Stands before the route's name in the transactional id: uploads of other routes go on."""

AT_ONCE: Final = 5_000
"""Rows of a transaction while Kafka is quick."""

BYTES_AT_ONCE: Final = 16 * 1024 * 1024
SAMPLE: Final = 100
"""Rows that the preview looks at."""

Progress = Callable[[str], AbstractContextManager[Callable[[int], None]]]
"""Named after a step: takes the bytes that were read."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command was asked for. `id_column`, `time_column`: headers; `zone`: of times without
    an offset; `not_before`: epoch seconds, 0 for at once."""

    route: str
    mapping: Mapping[str, str]
    id_column: str | None = None
    time_column: str | None = None
    time_form: str | None = None
    zone: str | None = None
    not_before: float = 0.0
    report: Path | None = None


class Upload:
    """One upload of a file. Raises OperationError for what cannot be sent at all."""

    def __init__(self, config: Config, file: CsvFile, asked: Asked, now: float) -> None:
        self.file, self.asked = file, asked
        self.route = _route_of(config, asked.route)
        header, self.sample = file.first_rows(SAMPLE)
        self.columns = Columns(header, asked.mapping)
        self.records = _records(config, self.columns, asked, now)
        self.router = build_router(config, build_vendors(config))
        self.topic = config.topics.uploads
        self.preview = self._preview(config)

    def _preview(self, config: Config) -> Preview:
        events = list(self._sample_events())
        also = {name for name in (self.asked.id_column, self.asked.time_column) if name}
        found = preview(config, self.route, self.columns, events, also)
        if not found.reaches:
            raise OperationError(_no_recipient(self.route, self.columns, len(events)))
        return found

    def _sample_events(self) -> Iterator[dict[str, Any]]:
        """Yield the events of the first rows whose cells fit."""
        for row in self.sample:
            with suppress(UnfitCellError):
                yield self.columns.event(row.cells)

    def check(
        self,
        store: RowStore,
        now: float,
        progress: Progress,
        take: Callable[[Note], None],
        report_path: Path | None,
    ) -> Checked:
        """Check all rows. `take`: gets each note, as the report does."""
        with (
            self.file.rows() as (rows, position),
            progress("checking") as read_up_to,
            report_to(report_path, self.file.path, self.preview.columns_of) as report,
        ):
            next(rows)  # the header

            def note(one: Note) -> None:
                report(one)
                take(one)

            checker = RowChecker(
                self.router, self.topic, self.records, store, note, self._why_unreached
            )
            checked = checker.check(rows, now, lambda: read_up_to(position()))
        self.file.refuse_changed()
        return checked

    def rows_to_send(self, store: RowStore) -> Iterator[tuple[bytes, bytes, int]]:
        """Yield identity and value of each row that is sent, and the bytes read so far."""
        with self.file.rows() as (rows, position):
            next(rows)
            for row, identity in zip(rows, store.rows(), strict=True):
                if identity is not None:
                    yield identity, self.records.value(identity, row.cells), position()
        self.file.refuse_changed()

    def _why_unreached(self, record: InputRecord, now: float) -> str:
        """Return what is wrong with the addresses of a row."""
        (candidate,) = self.router.uploaded(record, now, "")
        answers = recipient_answers(candidate, self.route, Masking())
        said = [f"{kind}: {one['problem']}" for kind, one in answers.items() if one["problem"]]
        return f"{'; '.join(said)}." if said else ""


def send(
    access: Access,
    upload: Upload,
    confirm: Callable[[Checked], bool],
    progress: Progress,
    take: Callable[[Note], None],
) -> int:
    """Check the file, let `confirm` agree, send its rows; return how many. Raises OperationError,
    KafkaSessionError."""
    refuse_unfit_topics(access)
    size = TransactionSize(AT_ONCE)
    with closing(RowStore()) as store:

        def plan(_producer: Producer, confirmed: Checked | None) -> Checked:
            load_sent(access, upload.route.name, store)
            if confirmed is not None:  # rows of this upload count as sent before: no news
                return upload.check(store, access.now(), progress, lambda _note: None, None)
            return upload.check(store, access.now(), progress, take, upload.asked.report)

        def write(producer: Producer, _checked: Checked) -> None:
            _write(access, producer, upload, store, size, progress)

        done = access.write_confirmed(NAME + upload.route.name, size, plan, confirm, write)
    return done.sending if done is not None else 0


def dry_run(
    access: Access, upload: Upload, progress: Progress, take: Callable[[Note], None]
) -> Checked:
    """Check the file and send nothing; another upload goes on beside it."""
    refuse_unfit_topics(access)
    with closing(RowStore()) as store:
        load_sent(access, upload.route.name, store)
        return upload.check(store, access.now(), progress, take, upload.asked.report)


def _write(
    access: Access,
    producer: Producer,
    upload: Upload,
    store: RowStore,
    size: TransactionSize,
    progress: Progress,
) -> None:
    with progress("sending") as read_up_to:
        some: list[tuple[bytes, bytes]] = []
        room, read = BYTES_AT_ONCE, 0

        def commit() -> None:
            with access.transaction(producer, "the upload", size, len(some)):
                write_rows(access, producer, upload.route.name, some, rfc3339(access.now()))
            read_up_to(read)

        for identity, value, at in upload.rows_to_send(store):
            some.append((identity, value))
            room, read = room - len(value), at
            if len(some) >= size.records or room <= 0:
                commit()
                some, room = [], BYTES_AT_ONCE
        if some:
            commit()
        read_up_to(upload.file.size)


def _route_of(config: Config, name: str) -> Route:
    for route in config.routes:
        if route.name == name:
            if route.for_each:
                raise OperationError(
                    f"route {name} invites the items of a list (`for_each`), and a row has no list"
                )
            return route
    known = ", ".join(route.name for route in config.routes)
    raise OperationError(f"the config has no route {name}; there are: {known}")


def _records(config: Config, columns: Columns, asked: Asked, now: float) -> RowRecords:
    keys = [config.pseudonym, *config.pseudonym.previous]
    by_id = asked.id_column is not None
    identities = [
        RowIdentity(key.key.get_secret_value().encode(), asked.route, by_id=by_id) for key in keys
    ]
    time_at = columns.place_of(asked.time_column, "--time") if asked.time_column else None
    times = RowTimes(
        rfc3339(max(now, asked.not_before)),
        time_at,
        asked.time_column or "",
        asked.time_form,
        asked.zone,
    )
    id_at = columns.place_of(asked.id_column, "--id") if asked.id_column else None
    return RowRecords(asked.route, columns, times, identities, id_at, asked.not_before)


def _no_recipient(route: Route, columns: Columns, rows: int) -> str:
    paths = [path for path in (route.recipient.phone, route.recipient.email) if path]
    names = ", ".join(columns.names)
    return (
        f"none of the first {rows} rows has an address for route {route.name}, which reads "
        f"{' and '.join(f'`{path}`' for path in paths)}. The columns are: {names}. "
        f'Say which it is: --column "{columns.names[0]}={paths[0]}"'
    )
