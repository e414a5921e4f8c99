"""How a file is written: its encoding and its separator, found or told, and always shown."""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from consumer.errors import OperationError

SEPARATORS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

LONGEST_LINE: Final = 1024 * 1024
"""Bytes without a line break, at most: a longer line is no row of a CSV file."""

_CHUNK: Final = 1024 * 1024
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WINDOWS: Final = "windows-1254"
"""Taken where a file has no mark and is no UTF-8, as Excel writes CSV on Windows.

It has the letters of Turkish, and all of windows-1252 but six of Icelandic. Nothing is guessed from
letters: charset-normalizer 3.5.3 took Turkish names for windows-1250 or -1252."""


@dataclass(frozen=True, slots=True)
class FileForm:
    """How to read a file. `said`: Excel's first line, which names the separator, is left out."""

    encoding: str
    separator: str
    said: bool = False
    why: str = ""

    @property
    def text(self) -> str:
        """The form in words."""
        name = SEPARATORS.get(self.separator, repr(self.separator))
        return f"encoding {self.encoding} ({self.why}), separator {name}"


def find_form(path: Path, encoding: str | None = None, separator: str | None = None) -> FileForm:
    """Return how the file is written; what is given is not looked for. Raises OperationError."""
    with opened(path) as file:
        name, why = _encoding(path, file, encoding)
        file.seek(0)
        text = text_of(file, name)
        header = text.readline()
        said = header.lower().startswith("sep=")
        if said:
            separator = separator or header[len("sep=") :].rstrip("\r\n") or None
            header = text.readline()
        return FileForm(name, separator or _separator(header), said, why)


def opened(path: Path) -> IO[bytes]:
    """Open a file. Raises OperationError."""
    try:
        return path.open("rb")
    except OSError as error:
        raise OperationError(f"{path} cannot be read: {error.strerror}") from None


def text_of(file: IO[bytes], encoding: str) -> io.TextIOWrapper:
    """Return the text of an open file, whose line breaks stay as they are. What is not of the
    encoding becomes what no JSON can hold (UTF-16: a mark), so its rows are found."""
    errors = "replace" if encoding.startswith("utf-16") else "surrogateescape"
    return io.TextIOWrapper(file, encoding, errors=errors, newline="")


def _encoding(path: Path, file: IO[bytes], given: str | None) -> tuple[str, str]:
    head = file.read(4)
    file.seek(0)
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    is_utf8 = _scan(path, file)
    if given is not None:
        return _known(given, marked), "as told"
    if marked is not None:
        return marked, "its first bytes say so"
    if is_utf8:
        return "utf-8", "all of the file fits"
    return WINDOWS, "it is no UTF-8; --encoding tells another"


def _known(given: str, marked: str | None) -> str:
    try:
        name = codecs.lookup(given).name
    except LookupError:
        raise OperationError(
            f"unknown encoding {given!r}; for example utf-8, windows-1254, utf-16"
        ) from None
    return marked if marked == "utf-8-sig" and name == "utf-8" else name


def _scan(path: Path, file: IO[bytes]) -> bool:
    """Read the whole file; return whether it is UTF-8. Raises OperationError for no CSV file."""
    decoder, fits, open_line = codecs.getincrementaldecoder("utf-8")(), True, 0
    for chunk in iter(lambda: file.read(_CHUNK), b""):
        lines = chunk.replace(b"\r", b"\n").split(b"\n")
        longest = max(open_line + len(lines[0]), *map(len, lines))
        if longest > LONGEST_LINE:
            raise OperationError(
                f"{path} has a line of over {LONGEST_LINE:,} bytes: is it a CSV file?"
            )
        open_line = len(lines[-1]) + (open_line if len(lines) == 1 else 0)
        try:
            if fits:
                decoder.decode(chunk)
        except UnicodeDecodeError:
            fits = False
    try:
        decoder.decode(b"", final=fits)
    except UnicodeDecodeError:
        fits = False
    return fits


def _separator(header: str) -> str:
    """Return the separator that gives the header the most cells; a comma for one column.

    `csv.Sniffer` judges by the frequency of characters, and takes the blanks of names or the
    dashes of phone numbers for separators.
    """
    cells = {mark: len(next(csv.reader([header], delimiter=mark), [])) for mark in SEPARATORS}
    return max(cells, key=lambda mark: cells[mark])
