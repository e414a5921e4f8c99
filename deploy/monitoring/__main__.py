"""Write rules and dashboards again: `python -m deploy.monitoring`."""

from __future__ import annotations

from deploy.monitoring.dashboards import write

for path in write():
    print(f"wrote {path.name}")  # noqa: T201 - it is a command
