"""Columns of a file, and where each stands in a row's event.

A header is a path of the event, as in `customer.phone`; what is no path (`Müşteri Adı`) is a key
of the event by itself. A mapping gives a column another path, or none: then its cells never leave
the file. Cells are texts; `:boolean` behind a path makes one of them true or false.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from consumer.config.checks.messages import nearest
from consumer.errors import OperationError
from consumer.operations.explain.masking import Masking
from consumer.routing.expressions import plain_path

BOOLEAN: Final = ":boolean"
_TRUE: Final = frozenset(["true", "1", "yes", "y", "evet", "e", "doğru", "x", "on"])
_FALSE: Final = frozenset(["false", "0", "no", "n", "hayır", "h", "yanlış", "off", "-"])
_MASKING: Final = Masking()


class UnfitCellError(ValueError):
    """A cell is not what its column should have; `column`: its header."""

    def __init__(self, column: str) -> None:
        super().__init__()
        self.column = column


class Column(NamedTuple):
    """A column that is read: its place in a row, its header, and its keys in the event."""

    at: int
    name: str
    keys: Sequence[str]
    boolean: bool = False

    @property
    def path(self) -> str:
        """The keys, as messages name them."""
        return ".".join(self.keys)


class Columns:
    """The columns of a file with a header. `kept`: those that stand in the event."""

    def __init__(self, header: Sequence[str], mapping: Mapping[str, str]) -> None:
        """Raises OperationError for a header or a mapping that cannot be used."""
        _check_header(header)
        for name in mapping:
            if name not in header:
                hint = nearest(name, [each for each in header if each])
                raise OperationError(
                    f"--column names '{name}', and the file has no such column"
                    + (f" ({hint})" if hint else "")
                )
        found = [_column(at, name, mapping) for at, name in enumerate(header) if name]
        self.kept = [column for column in found if column is not None]
        self.names = [name for name in header if name]
        self._named = sorted((name, at) for at, name in enumerate(header) if name)
        _check_paths(self.kept)

    def place_of(self, name: str, option: str) -> int:
        """Return the place of a column's cells. Raises OperationError for an unknown one."""
        for known, at in self._named:
            if known == name:
                return at
        hint = nearest(name, self.names)
        raise OperationError(
            f"{option} names '{name}', and the file has no such column"
            + (f" ({hint})" if hint else "")
        )

    def event(self, cells: Sequence[str]) -> dict[str, Any]:
        """Return the event of a row; empty cells are left out. Raises UnfitCellError."""
        event: dict[str, Any] = {}
        for at, name, keys, boolean in self.kept:
            cell = cells[at]
            if cell:
                inner = event
                for key in keys[:-1]:
                    inner = inner.setdefault(key, {})
                inner[keys[-1]] = _boolean(cell, name) if boolean else cell
        return event

    def content(self, cells: Sequence[str]) -> list[str]:
        """Return a row's content: header and cell of all cells that are not empty, by header."""
        return [part for name, at in self._named if cells[at] for part in (name, cells[at])]


def mapping_of(options: Sequence[str], file: Path | None) -> dict[str, str]:
    """Return header → path of `--column HEADER=PATH` and of a YAML file. Raises OperationError."""
    mapping = _mapping_of_file(file) if file is not None else {}
    for option in options:
        name, sign, path = option.partition("=")
        if not sign:
            raise OperationError('--column: expected HEADER=PATH, as in "Telefon=customer.phone"')
        mapping[name.strip()] = path.strip()
    return mapping


def _mapping_of_file(file: Path) -> dict[str, str]:
    try:
        found = YAML(typ="safe").load(file.read_text("utf-8"))
    except OSError as error:
        raise OperationError(f"{file} cannot be read: {error.strerror}") from None
    except (YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark is not None else ""
        raise OperationError(f"{file}{where}: is no YAML") from None
    fits = isinstance(found, dict) and all(
        isinstance(path, str | None) and isinstance(name, str) for name, path in found.items()
    )
    if not fits:
        raise OperationError(f"{file}: expected a mapping, as in `Telefon: customer.phone`")
    return {name.strip(): (path or "").strip() for name, path in found.items()}


def _column(at: int, name: str, mapping: Mapping[str, str]) -> Column | None:
    path = mapping.get(name, name)
    if not path:
        return None
    boolean = path.endswith(BOOLEAN) and name in mapping
    keys = _keys(path.removesuffix(BOOLEAN) if boolean else path)
    if not keys:
        if name in mapping:
            raise OperationError(
                f"column '{name}': expected a path, as in customer.phone or a.\"b c\""
            )
        keys = [name]
    return Column(at, name, keys, boolean)


def _keys(path: str) -> list[str]:
    try:
        return plain_path(path)
    except ValueError:
        return []


def _check_header(header: Sequence[str]) -> None:
    """Refuse a first row that names no columns: it is not repeated where it may be a customer."""
    if not any(header):
        raise OperationError("the file has no header: its first row names the columns")
    if any(_MASKING.words(name) != name for name in header):
        raise OperationError(
            "the first row has an address or a number: it is a customer, and the file lacks its "
            "header; its first row names the columns"
        )
    for name, number in Counter(name for name in header if name).items():
        if number > 1:
            raise OperationError(f"the header names the column '{name}' twice: rename one of them")


def _check_paths(columns: Sequence[Column]) -> None:
    """Refuse two columns of which one would overwrite the other."""
    taken: dict[tuple[str, ...], str] = {}
    for column in columns:
        path = tuple(column.keys)
        for known, name in taken.items():
            if path[: len(known)] == known or known[: len(path)] == path:
                raise OperationError(
                    f"columns '{name}' and '{column.name}' cannot both be kept: {'.'.join(known)} "
                    f'and {column.path} are one place; --column "{column.name}=" leaves one out'
                )
        taken[path] = column.name


def _boolean(cell: str, name: str) -> bool:
    word = cell.replace("I", "ı").replace("İ", "i").casefold()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise UnfitCellError(name)
