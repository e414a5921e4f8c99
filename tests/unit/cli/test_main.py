"""SIGTERM while the program is still starting."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.dispatcher import command, until


@pytest.mark.parametrize(("words", "code"), [("run", 0), ("demo", 143)])
def test_an_end_before_the_beginning_is_heard(words: str, code: int) -> None:
    """As PID 1 of a container it would be lost without a handler. Nothing has begun: no log."""
    process = subprocess.Popen(
        command(words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )

    def hears() -> bool:
        status = Path(f"/proc/{process.pid}/status").read_text()
        (caught,) = (line for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(int(caught.split()[1], 16) >> 14 & 1)  # SIGTERM is 15

    try:
        until("a handler", hears)
        process.terminate()
        told, _ = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, told) == (code, "")
