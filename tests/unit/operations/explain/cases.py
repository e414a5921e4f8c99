"""The cases of `explain --json` below tests/samples/explain: config, event and what is printed.

Write the expectations anew, after a look at what changes, with
`python -m tests.unit.operations.explain.cases`, and read the diff.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from consumer.cli.main import app

FOLDER = Path(__file__).parents[3] / "samples" / "explain"
WIDTH = 140
CASES = sorted((FOLDER / "cases").glob("*.json"))


def config_of(given: dict[str, Any]) -> Path:
    """The config of a case."""
    return FOLDER / "configs" / f"{given['config']}.yaml"


@contextmanager
def event_file(given: dict[str, Any]) -> Iterator[Path]:
    """A file with the event of a case."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "event.json"
        text = given["text"] if "text" in given else json.dumps(given["event"])
        path.write_text(text, encoding="utf-8")
        yield path


def run_case(given: dict[str, Any], *options: str) -> str:
    """What the command prints for a case."""
    with event_file(given) as event:
        words = ["explain", str(event), "-c", str(config_of(given)), *given["arguments"], *options]
        done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return done.stdout


def rewrite() -> None:
    """Write what the command prints now as the expectation of each case."""
    for path in CASES:
        case = json.loads(path.read_text(encoding="utf-8"))
        case["expected"] = json.loads(run_case(case["given"], "--json"))
        path.write_text(readable(case) + "\n", encoding="utf-8")


def readable(value: Any, indent: str = "") -> str:
    """JSON with each part on one line that fits."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent + line) <= WIDTH or not value or not isinstance(value, dict | list):
        return line
    inner = indent + "  "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {readable(part, inner)}" for key, part in value.items()]
    else:
        parts = [readable(part, inner) for part in value]
    first, last = "{}" if isinstance(value, dict) else "[]"
    return first + "".join(f"\n{inner}{part}," for part in parts)[:-1] + f"\n{indent}{last}"


if __name__ == "__main__":
    rewrite()
