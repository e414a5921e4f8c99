"""Tables on a terminal.

Text from outside is shown without control characters, which could move a terminal's cursor.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers are right-aligned."""
    columns = [Column(head, overflow="fold") for head in heads]
    shown = Table(*columns, box=None, pad_edge=False, header_style="bold")
    shown.show_header = any(heads)
    for row in rows:
        shown.add_row(*(_cell(value) for value in row))
    Console(width=None if sys.stdout.isatty() else 200).print(shown)


def _cell(value: object) -> Text:
    number = isinstance(value, int)
    return Text(f"{value:,}" if number else clean(str(value)), justify="right" if number else None)


def clean(text: str) -> str:
    """Return the text without control characters."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
