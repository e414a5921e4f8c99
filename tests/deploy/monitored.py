"""What rules, dashboards and runbooks hold, for tests that compare them."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from prometheus_client.metrics_core import Metric
from ruamel.yaml import YAML

from consumer.observability.metrics.metrics import Metrics
from deploy.monitoring.alert import ALERT_PREFIX
from deploy.monitoring.dashboards import BOARDS

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "monitoring" / "rules" / "survey-dispatcher.rules.yaml"
RUNBOOKS = DEPLOY / "runbooks"

_SUFFIXES = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_count", "_sum"),
    "info": ("_info",),
    "gauge": ("",),
}
_DURATION = re.compile(r"(?<![A-Za-z0-9_])(?:\d+[dhm])+(?![A-Za-z0-9_])")
_PART = re.compile(r"(\d+)([dhm])")
_SECONDS = {"d": 86400, "h": 3600, "m": 60}
_USED = re.compile(r"(?<![\w:])survey_dispatcher_\w+")


@dataclass(frozen=True, slots=True)
class Shown:
    """A query of a panel."""

    board: str
    panel: str
    expr: str


def tool(name: str) -> str:
    """The path of one of Prometheus's programs; a test without it fails and says what to do."""
    found = shutil.which(name)
    assert found, f"{name} is missing: `make promtool` installs it"
    return found


@cache
def series() -> dict[str, str]:
    """Every name that a scrape may show → the metric that it belongs to."""
    families: list[Metric] = list(Metrics().registry.collect())
    return {
        family.name + suffix: family.name
        for family in families
        for suffix in _SUFFIXES[family.type]
    }


def used(expr: str) -> set[str]:
    """The metrics' series that an expression names; recorded ones are left out."""
    return set(_USED.findall(expr))


@cache
def rules() -> list[dict[str, Any]]:
    """All rules of the file."""
    document = YAML(typ="safe").load(RULES.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def alerting() -> list[dict[str, Any]]:
    """The alerting rules of the file: an alert may have one for each severity."""
    return [rule for rule in rules() if "alert" in rule]


def alerts() -> dict[str, dict[str, Any]]:
    """The alerts of the file by their name without the prefix; of several rules the last one."""
    return {rule["alert"].removeprefix(ALERT_PREFIX): rule for rule in alerting()}


@cache
def boards() -> dict[str, dict[str, Any]]:
    """The dashboards by name, from the JSON that is checked in."""
    folder = DEPLOY / "monitoring" / "dashboards"
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in BOARDS}


@cache
def panels() -> dict[str, list[dict[str, Any]]]:
    """Dashboard → its panels."""
    return {
        name: [panel for panel in board["panels"] if panel["type"] != "row"]
        for name, board in boards().items()
    }


def marks() -> dict[str, str]:
    """Name → query of what the dashboards mark in every curve."""
    (marked, *others) = (board["annotations"]["list"] for board in boards().values())
    assert all(marked == other for other in others)
    return {each["name"]: each["expr"] for each in marked}


def queries() -> list[Shown]:
    """Every query of every panel."""
    return [
        Shown(board, panel["title"], target["expr"])
        for board, found in panels().items()
        for panel in found
        for target in panel["targets"]
    ]


def quicker(text: str, times: int) -> str:
    """Rules, or promtool's cases of them, with all durations divided. Raises ValueError where one
    would be no whole number of seconds."""

    def divided(found: re.Match[str]) -> str:
        parts = _PART.findall(found[0])
        seconds, rest = divmod(sum(int(number) * _SECONDS[unit] for number, unit in parts), times)
        if rest:
            raise ValueError(f"{found[0]} is no multiple of {times} s")
        return f"{seconds}s"

    return _DURATION.sub(divided, text)


def filled(expr: str, interval: str = "1m", over: str = "1h", job: str = ".*") -> str:
    """A panel's query as Grafana sends it, with everything chosen, or one application's jobs."""
    for variable, value in (
        ("$__rate_interval", interval),
        ("$__range", over),
        ("$namespace", ".*"),
        ("$job", job),
        ("$lane", ".*"),
    ):
        expr = expr.replace(variable, value)
    return expr
