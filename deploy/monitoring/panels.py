"""A panel by our own few words, and as Grafana wants it.

Every panel says what it shows. One that an alert belongs to links to the alert's runbook; the
address of the runbooks is the dashboard's variable `runbooks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.monitoring.alert import ALERT_PREFIX

SOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
Kind = Literal["lines", "stack", "stat", "states", "table", "days"]
DAYS_SHOWN = 14
Builder = timeseries.Panel | stat.Panel | statetimeline.Panel | table.Panel


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression, and how its series are called. `exemplars`: show its metric's traces."""

    expr: str
    legend: str = ""
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """What one panel shows. `alerts`: the ones that it explains; `limits`: where it turns red;
    `words`: what the values 0 and 1 of a panel of states are called; `columns`: the labels of a
    table by days."""

    title: str
    what: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: Kind = "lines"
    alerts: tuple[str, ...] = ()
    width: int = 8
    limit: float | None = None
    words: tuple[str, str] = ("no", "yes")
    bad: int = 1
    columns: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """A figure needs less room than a curve."""
        return 4 if self.kind == "stat" else 8


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


def one(expr: str, legend: str = "") -> tuple[Query, ...]:
    """A panel's only query."""
    return (Query(expr, legend),)


def built(panel: Panel, number: int) -> Builder:
    """The panel for Grafana. Its number stays the same as long as the dashboard's order does."""
    result = _base(panel)
    result.id(number).title(panel.title).description(_description(panel))
    result.datasource(SOURCE).unit(panel.unit).span(panel.width).height(panel.height)
    result.links([_runbook(name) for name in panel.alerts])
    for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
        result.with_target(_target(query, letter, panel.kind))
    if panel.limit is not None:
        result.thresholds(_red_from(panel.limit))
    return result


def _base(panel: Panel) -> Builder:
    match panel.kind:
        case "stat":
            return stat.Panel().color_mode(common.BigValueColorMode.NONE)
        case "states":
            return _states(panel)
        case "table":
            return table.Panel()
        case "days":
            return _days(panel)
    lines = timeseries.Panel().min(0).fill_opacity(10).span_nulls(False)
    lines.legend(
        common_builders.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    lines.tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    if panel.limit is not None:
        style = common.GraphThresholdsStyleMode.DASHED
        lines.thresholds_style(common_builders.GraphThresholdsStyleConfig().mode(style))
    if panel.kind == "stack":
        stacking = common_builders.StackingConfig().mode(common.StackingMode.NORMAL)
        lines.stacking(stacking)
    return lines


def _days(panel: Panel) -> table.Panel:
    """A row for each day, the newest first, and each combination of the query's labels."""
    names = {name: name.capitalize() for name in panel.columns} | {"Time": "Day", "Value": "Number"}
    order = {name: at for at, name in enumerate(("Time", *panel.columns, "Value"))}
    options = {"renameByName": names, "indexByName": order}
    columns = dashboard.DataTransformerConfig(id_val="organize", options=options)
    days = dashboard.DynamicConfigValue(id_val="unit", value="time:YYYY-MM-DD")
    newest = common_builders.TableSortByFieldState().display_name("Day").desc(True)
    result = table.Panel().with_transformation(columns).override_by_name("Day", [days])
    return result.sort_by([newest]).interval("1d").time_from(f"{DAYS_SHOWN}d").decimals(0)


def _states(panel: Panel) -> statetimeline.Panel:
    colours = ["green", "green"]
    colours[panel.bad] = "red"
    options: dict[str, dashboard.ValueMappingResult] = {
        str(value): dashboard.ValueMappingResult(text=panel.words[value], color=colours[value])
        for value in (0, 1)
    }
    return (
        statetimeline.Panel()
        .mappings([dashboard.ValueMap(options=options)])
        .show_value(common.VisibilityMode.AUTO)
        .merge_values(True)
    )


def _target(query: Query, letter: str, kind: Kind) -> Dataquery:
    target = Dataquery().expr(query.expr).ref_id(letter).legend_format(query.legend or "__auto")
    target.datasource(SOURCE)
    if query.exemplars:
        target.exemplar(True)
    if kind == "days":
        return target.range().format(PromQueryFormat.TABLE)
    if kind == "table":
        return target.instant().format(PromQueryFormat.TABLE)
    return target.range()


def _description(panel: Panel) -> str:
    names: Sequence[str] = [ALERT_PREFIX + name for name in panel.alerts]
    return panel.what + (f"\n\nAlert: {', '.join(names)}." if names else "")


def _runbook(alert: str) -> build.DashboardLink:
    link = build.DashboardLink(f"Runbook: {alert}").type(dashboard.DashboardLinkType.LINK)
    return link.url(f"${{runbooks}}/{alert}.md").target_blank(True)


def _red_from(limit: float) -> build.ThresholdsConfig:
    steps = [
        dashboard.Threshold(value=None, color="green"),
        dashboard.Threshold(value=limit, color="red"),
    ]
    return build.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)
