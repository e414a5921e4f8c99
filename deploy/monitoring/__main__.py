"""Write rules and dashboards again: `python -m deploy.monitoring`.

With `--runbooks URL` their links lead to a copy of the runbooks; `--to FOLDER` writes elsewhere.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from deploy.monitoring.alert import RUNBOOKS
from deploy.monitoring.dashboards import HERE, write


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, write the files, and name those that changed."""
    parser = argparse.ArgumentParser(prog="python -m deploy.monitoring", description=__doc__)
    parser.add_argument("--runbooks", default=RUNBOOKS, help="address of the runbooks' folder")
    parser.add_argument("--to", type=Path, default=HERE, help="folder for rules/ and dashboards/")
    chosen = parser.parse_args(arguments)
    for path in write(chosen.to, chosen.runbooks.rstrip("/")):
        print(f"wrote {path.name}")  # noqa: T201 - it is a command


if __name__ == "__main__":
    main()
