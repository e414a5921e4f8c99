"""An earlier program, out of the repository's own history, to upgrade from and to roll back to."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SHORT_DELAYS = Path(__file__).parent / "short_delays.py"


@dataclass(frozen=True, slots=True)
class Program:
    """The program of one tree, with a shortest delay of `delay` seconds.

    It runs with the libraries of this environment: they are those of 258f27a, or later ones.
    `buffered`: its metric of the invitations in memory.
    """

    root: Path
    delay: float
    buffered: str = "buffered_invitations"

    @property
    def words(self) -> Sequence[str | Path]:
        """The command line before `run` and its like."""
        # -P: the script's folder has modules with the names of libraries.
        return [sys.executable, "-P", SHORT_DELAYS, str(self.delay)]

    @property
    def environment(self) -> dict[str, str]:
        """Where its modules are."""
        return {"PYTHONPATH": str(self.root)}

    def run(self, *arguments: str | Path, status: int | None = 0) -> str:
        """Run one command to its end, which must be with this exit code; its output."""
        done = subprocess.run(
            [*self.words, *arguments],
            env={**os.environ, **self.environment, "ADMIN_PORT": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert status in (None, done.returncode), done.stdout
        return done.stdout

    def python(self, code: str, text: str) -> str:
        """Run code with its modules, with this text to read; what it prints."""
        return subprocess.run(
            [sys.executable, "-P", "-c", code],
            env={**os.environ, **self.environment},
            input=text,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout


def checkout(commit: str, folder: Path) -> Path:
    """Write the package of a commit below `folder`. Skips the test in a clone without it."""
    git = ["git", "-C", str(REPOSITORY), "archive", commit, "consumer"]
    try:
        packed = subprocess.run(git, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"no history back to {commit} here: git fetch --unshallow")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder
