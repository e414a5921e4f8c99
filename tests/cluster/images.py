"""The images of the cluster's pods as archives, kept until what they are built of changes."""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

from tests.support.image import BASE, ROOT, builder

REPOSITORY = "localhost/survey-dispatcher"
TAG, NEXT_TAG = "checked", "next"
PAUSE = "localhost/pause:1"
"""The image of every pod's sandbox: a process that waits."""

INGREDIENTS = ("deploy/Dockerfile", "constraints.txt", "pyproject.toml", "README.md", "LICENSE")


def archives() -> list[Path]:
    """`REPOSITORY` with both tags, and `PAUSE`; built where the sources are not those of before."""
    home = BASE.parent / "archives" / _fingerprint()
    if not home.exists():
        sys.stderr.write("building the image by deploy/Dockerfile\n")
        shutil.rmtree(home.parent, ignore_errors=True)
        part = home.with_suffix(".part")
        part.mkdir(parents=True)
        _build(part)
        part.rename(home)
    return sorted(home.glob("*.tar"))


def _build(home: Path) -> None:
    with builder() as building:
        building.build()
        building.save(f"{REPOSITORY}:{TAG}", home / "checked.tar")
        # Another image, as the next version will be: its id is another one.
        label = "--label=org.opencontainers.image.version=next"
        building.save(f"{REPOSITORY}:{NEXT_TAG}", home / "next.tar", label)
        wait = ('--entrypoint=["sleep"]', "--cmd=infinity")
        building.save(PAUSE, home / "pause.tar", *wait)


def _fingerprint() -> str:
    digest = hashlib.sha256()
    sources = sorted(path for path in (ROOT / "consumer").rglob("*") if path.is_file())
    for path in [*(ROOT / each for each in INGREDIENTS), *sources]:
        if "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
