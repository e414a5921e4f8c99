"""Gets a peer into `.cache/peers` on demand: a virtual environment, or Maven's build.

An environment is kept as long as its requirements stand as they did.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parents[2] / ".cache" / "peers"


def quix_streams() -> list[str]:
    """Return its command line. Raises OSError or CalledProcessError."""
    home, wanted = CACHE / "quix", HERE / "quix_streams.txt"
    python = home / "bin" / "python"
    if not _is_current(home, wanted):
        shutil.rmtree(home, ignore_errors=True)
        _run(sys.executable, "-m", "venv", home)
        _run(python, "-m", "pip", "install", "--quiet", "-r", wanted)
        _remember(home, wanted)
    return [str(python), str(HERE / "quix_streams.py")]


def parallel_consumer() -> list[str]:
    """Return its command line (needs a JDK of 17 or later, and Maven). Raises as `quix_streams`."""
    home, pom = CACHE / "parallel", HERE / "parallel_consumer" / "pom.xml"
    if not _is_current(home, pom):
        shutil.rmtree(home, ignore_errors=True)
        goals = ("package", "dependency:copy-dependencies", "-DincludeScope=runtime")
        folders = (f"-Dbuild.folder={home}", f"-DoutputDirectory={home / 'libs'}")
        _run("mvn", "-q", "-B", "-DskipTests", "-f", pom, *goals, *folders)
        _remember(home, pom)
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    return ["java", "-Xmx512m", quiet, "-cp", f"{home}/app.jar:{home}/libs/*", "bench.Main"]


def _is_current(home: Path, wanted: Path) -> bool:
    made = home / wanted.name
    return made.exists() and made.read_text() == wanted.read_text()


def _remember(home: Path, wanted: Path) -> None:
    shutil.copy(wanted, home / wanted.name)


def _run(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
