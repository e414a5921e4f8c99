"""The findings as a table on a terminal."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumer.operations.doctor.finding import Finding, State
from consumer.operations.tables import clean

_STYLES = {State.OK: "green", State.WARNING: "yellow", State.FAILED: "bold red"}


def show(findings: Sequence[Finding]) -> None:
    """Print the table, and a line that counts."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    shown.add_column("state", no_wrap=True)
    shown.add_column("check", overflow="fold")
    shown.add_column("found", overflow="fold", ratio=3)
    shown.add_column("what to do", overflow="fold", ratio=2)
    for one in findings:
        texts = (Text(clean(text)) for text in (one.check, one.found, one.remedy))
        shown.add_row(Text(one.state.value, _STYLES.get(one.state, "dim")), *texts)
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(shown)
    console.print(Text(summary(findings)))


def summary(findings: Sequence[Finding]) -> str:
    """Return how many checks failed, and how many warn."""
    numbers = Counter(one.state for one in findings)
    failed, warned = numbers[State.FAILED], numbers[State.WARNING]
    warnings = f"{warned} warning{'s' * (warned != 1)}"
    if failed:
        return f"{failed} failed, {warnings}: mend what failed, then run `doctor` again"
    return f"all that `run` needs is there; {warnings}"
