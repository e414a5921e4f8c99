"""What both dashboards mark in every curve: reloads of the config, and starts of processes."""

from __future__ import annotations

from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as build

from deploy.monitoring.panels import SOURCE
from deploy.monitoring.series import of

STEP, WINDOW = 60, 120
"""Seconds between two points of a query, and for which each looks back: two scrapes at least."""

_STARTED = f"time() - {of('process_start_time_seconds')} < {WINDOW}"
_PROCESS = "namespace, job, instance"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a process. `expr` has a series for each step with one."""

    name: str
    expr: str
    title: str
    text: str
    colour: str


def _reloads(result: str) -> str:
    counter = of("config_reloads_total", f'result="{result}"')
    return f"sum by (instance) (increase({counter}[{WINDOW}s])) > 0"


EVENTS = (
    Event(
        "Config taken",
        _reloads("applied"),
        "Config taken",
        "{{instance}} goes on with a changed config",
        "blue",
    ),
    Event(
        "Config refused",
        _reloads("refused"),
        "Config refused",
        "{{instance}} goes on with the former config: the log's config_refused says why",
        "red",
    ),
    Event(
        "Start",
        f"({_STARTED}) * on ({_PROCESS}) group_left (version) {of('build_info')}",
        "Start of {{instance}}",
        "version {{version}}",
        "purple",
    ),
)


def annotation(event: Event) -> build.AnnotationQuery:
    """Return the event as Grafana wants it."""
    query = build.AnnotationQuery().name(event.name).datasource(SOURCE).enable(True)
    query.icon_color(event.colour).expr(event.expr).step(f"{STEP}s")
    return query.title_format(event.title).text_format(event.text).tag_keys("instance")
