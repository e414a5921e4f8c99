"""`make demo` to its end: a process of its own, with the embedded broker and vendor doubles."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("survey-dispatcher")
"""The command that is installed beside this interpreter, which is what `make demo` calls."""

EVENTS = 300
ROW = re.compile(r"│ (?P<name>[a-z ]+?) +│ (?P<figure>[\d.,]+) +│")
HELD_BACK = re.compile(r"│ +(?P<number>\d+) │ (?P<reason>[a-z_]+) +│")


def summary(shown: str) -> dict[str, float]:
    """The figures of the closing table by name."""
    closing = shown.rpartition("what became of it")[2]
    return {row["name"]: float(row["figure"].replace(",", "")) for row in ROW.finditer(closing)}


@pytest.mark.deep
def test_the_demo_ends_by_itself_with_a_result_for_each_invitation() -> None:
    done = subprocess.run(
        [PROGRAM, "demo", "--events", str(EVENTS)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert not done.stderr
    figures = summary(done.stdout)
    assert figures["events"] == EVENTS
    ends = ("delayed", "accepted", "rejected", "suppressed", "expired", "failed", "unknown")
    assert sum(figures[end] for end in ends) == figures["invitations"]
    assert figures["accepted"] > EVENTS / 2
    assert figures["delayed"] > 0
    assert figures["throttled"] == 0
    reasons = {row["reason"] for row in HELD_BACK.finditer(done.stdout)}
    assert reasons >= {"holdout", "contact_limit"}
    assert (
        sum(int(row["number"]) for row in HELD_BACK.finditer(done.stdout))
        == (figures["suppressed"])
    )


def test_make_demo_calls_the_installed_command() -> None:
    """With the same arguments as the test above: none but those that a person adds."""
    makefile = Path(__file__).parents[2].joinpath("Makefile").read_text()
    assert "\n\t$(BIN)/survey-dispatcher demo $(ARGS)\n" in makefile
