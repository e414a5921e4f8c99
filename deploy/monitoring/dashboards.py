"""The dashboards as JSON, for Grafana 10 and later.

They are in the form that every Grafana reads from a file; the SDK marks its builder as one to be
replaced by a form that needs Grafana 12 and cannot be provisioned as widely yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from deploy.monitoring import events, manager, operations, rules
from deploy.monitoring.alert import RUNBOOKS
from deploy.monitoring.panels import SOURCE, Row, built
from deploy.monitoring.queries import PREFIX
from deploy.monitoring.series import of

HERE = Path(__file__).parent
TAG = "survey-dispatcher"
CONFIG = f"{PREFIX}config_info"
"""Says of which application a process is."""

ROW_NUMBERS = 1000
"""Panels are numbered from 1, so that a link to one does not move when a row is added."""

BOARDS: dict[str, tuple[str, Sequence[Row]]] = {
    "manager": (manager.TITLE, manager.ROWS),
    "operations": (operations.TITLE, operations.ROWS),
}


def json_of(name: str, runbooks: str = RUNBOOKS) -> str:
    """One of `BOARDS` as JSON, always the same for the same code. `runbooks`: their folder's
    address."""
    title, rows = BOARDS[name]
    board = build.Dashboard(title).uid(f"{TAG}-{name}").tags([TAG]).timezone("browser")
    board.refresh("30s").time("now-6h", "now").readonly()
    board.tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
    board.link(_others())
    for variable in _variables(runbooks):
        board.with_variable(variable)
    for event in events.EVENTS:
        board.annotation(events.annotation(event))
    _place(board, rows)
    return JSONEncoder(sort_keys=True, indent=2).encode(board.build()) + "\n"


def files(folder: Path = HERE, runbooks: str = RUNBOOKS) -> dict[Path, str]:
    """Every generated file below `folder`, and its content."""
    boards = {folder / "dashboards" / f"{name}.json": json_of(name, runbooks) for name in BOARDS}
    return {folder / "rules" / "survey-dispatcher.rules.yaml": rules.text(runbooks), **boards}


def write(folder: Path = HERE, runbooks: str = RUNBOOKS) -> list[Path]:
    """Write all of them; return those that were changed."""
    texts = files(folder, runbooks)
    changed = [
        path for path, text in texts.items() if not path.exists() or path.read_text() != text
    ]
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[path])
    return changed


def _place(board: build.Dashboard, rows: Sequence[Row]) -> None:
    number = 0
    for index, row in enumerate(rows):
        board.with_row(build.Row(row.title).id(ROW_NUMBERS + index))
        for panel in row.panels:
            number += 1
            board.with_panel(built(panel, number))


def _others() -> build.DashboardLink:
    link = build.DashboardLink("Survey dispatcher").type(dashboard.DashboardLinkType.DASHBOARDS)
    return link.tags([TAG]).include_vars(True).keep_time(True)


def _variables(
    runbooks: str,
) -> list[build.DatasourceVariable | build.QueryVariable | build.TextBoxVariable]:
    return [
        build.DatasourceVariable("datasource").type("prometheus").label("Prometheus"),
        _labels("namespace", CONFIG, "Namespace"),
        _labels("application", f'{CONFIG}{{namespace=~"$namespace"}}', "Application"),
        _jobs(),
        _labels("lane", of("takeovers_total"), "Lane"),
        build.TextBoxVariable("runbooks")
        .default_value(runbooks)
        .label("Runbooks")
        .description("Address of the folder that holds the runbooks"),
    ]


def _labels(name: str, metric: str, label: str) -> build.QueryVariable:
    return _values(name, metric).label(label).all_value(".*")


def _jobs() -> build.QueryVariable:
    """The scrape jobs of the chosen applications, by which every panel selects. Without a value of
    its own for all, "all" is these jobs alone."""
    chosen = f'{CONFIG}{{namespace=~"$namespace",application=~"$application"}}'
    return _values("job", chosen).hide(dashboard.VariableHide.HIDE_VARIABLE)


def _values(name: str, metric: str) -> build.QueryVariable:
    variable = build.QueryVariable(name).query(f"label_values({metric}, {name})")
    variable.datasource(SOURCE).refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
    variable.current(dashboard.VariableOption(selected=True, text="All", value="$__all"))
    return variable.multi(True).include_all(True)
