"""The file of an upload: its form, its rows, and how far it was read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from consumer.errors import OperationError
from consumer.operations.uploads.csv_rows import Row, read_rows
from consumer.operations.uploads.encoding import FileForm, find_form, opened, text_of


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A file with rows. `state`: its size and its time of change when it was found."""

    path: Path
    form: FileForm
    state: tuple[int, int]

    @classmethod
    def find(cls, path: Path, encoding: str | None, separator: str | None) -> CsvFile:
        """Look at a file. Raises OperationError."""
        if not path.is_file():
            raise OperationError(f"{path} is no file; it is read twice, so standard input is none")
        return cls(path, find_form(path, encoding, separator), _state(path))

    @property
    def size(self) -> int:
        """Bytes."""
        return self.state[0]

    @contextmanager
    def rows(self) -> Iterator[tuple[Iterator[Row], Callable[[], int]]]:
        """Yield all rows, the header first, and a function that says how many bytes were read."""
        with opened(self.path) as file, text_of(file, self.form.encoding) as text:
            if self.form.said:
                text.readline()
            yield read_rows(text, self.form.separator, skipped_lines=int(self.form.said)), file.tell

    def first_rows(self, number: int) -> tuple[Sequence[str], list[Row]]:
        """Return the header, and readable rows among the first ones. Raises OperationError."""
        with self.rows() as (rows, _):
            header = next(rows, None)
            if header is None or header.problem:
                why = f"its first row {header.problem}" if header else "it is empty"
                raise OperationError(f"{self.path}: {why}; the first row names the columns")
            first = list(islice(rows, number))
            good = [row for row in first if not row.problem]
            if not good:
                one = f"row {first[0].number} {first[0].problem}" if first else "there is none"
                raise OperationError(f"{self.path}: no readable row behind the header: {one}")
            return header.cells, good

    def refuse_changed(self) -> None:
        """Raise OperationError if the file changed since it was found."""
        if _state(self.path) != self.state:
            raise OperationError(
                f"{self.path} changed while it was read: run the command again, and no row that "
                "was sent is sent twice"
            )


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
