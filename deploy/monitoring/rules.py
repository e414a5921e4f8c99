"""The Prometheus rule file."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from deploy.monitoring import recording
from deploy.monitoring.alert import RUNBOOKS, Alert
from deploy.monitoring.alerts import ALERTS

HEAD = "# Generated: `python -m deploy.monitoring` writes it again. Numbers are in thresholds.py.\n"


def document(runbooks: str = RUNBOOKS) -> dict[str, Any]:
    """The rule groups; what a group needs of another stands before it. `runbooks`: address of the
    folder of the runbooks."""
    alerts = [_alert(alert, runbooks) for alert in ALERTS]
    return {
        "groups": [
            {"name": "survey-dispatcher-lanes", "rules": _records(recording.lanes())},
            {"name": "survey-dispatcher-objectives", "rules": _records(recording.objectives())},
            {
                "name": "survey-dispatcher-objectives-long",
                "interval": "1m",
                "rules": _records(recording.long_objectives()),
            },
            {"name": "survey-dispatcher-alerts", "rules": alerts},
        ]
    }


def text(runbooks: str = RUNBOOKS) -> str:
    """The file's content."""
    yaml, out = YAML(), io.StringIO()
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(document(runbooks), out)
    return HEAD + out.getvalue()


def _records(rules: list[recording.Recorded]) -> list[dict[str, object]]:
    return [{"record": rule.name, "expr": _expr(rule.expr)} for rule in rules]


def _alert(alert: Alert, runbooks: str) -> dict[str, object]:
    return {
        "alert": alert.full_name,
        "expr": _expr(alert.expr),
        **({"for": alert.wait} if alert.wait else {}),
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.what,
            "description": alert.do,
            "runbook_url": alert.runbook(runbooks),
            "panel": alert.panel,
        },
    }


def _expr(expr: str) -> str:
    return LiteralScalarString(expr) if "\n" in expr else expr
