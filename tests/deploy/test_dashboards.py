"""The dashboards: every query is valid, every metric has its place, every panel says what it is."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.deploy.monitored import (
    alerts,
    boards,
    filled,
    marks,
    panels,
    queries,
    rules,
    series,
    tool,
    used,
)

NOT_SHOWN = {
    "survey_dispatcher_process_max_fds": "a constant of the system, the same all day",
    "survey_dispatcher_process_virtual_memory_bytes": "says nothing: resident memory is shown",
}
"""Metrics in no dashboard and no alert, and why."""


def test_each_metric_is_in_a_dashboard_or_an_alert_or_left_out_for_a_reason() -> None:
    shown = {name for query in queries() for name in used(query.expr)}
    shown |= {name for rule in rules() for name in used(rule["expr"])}
    of_metric = series()
    seen = {of_metric[name] for name in shown if name in of_metric}
    assert set(of_metric.values()) - seen == NOT_SHOWN.keys()


def test_panels_name_only_metrics_that_the_program_has() -> None:
    unknown = {(query.panel, name) for query in queries() for name in used(query.expr)}
    assert not {pair for pair in unknown if pair[1] not in series()}


def test_prometheus_can_read_every_query(tmp_path: Path) -> None:
    """promtool reads expressions only in rules, so each query becomes one."""
    recorded = [
        {"record": f"shown:query{number}", "expr": filled(each.expr)}
        for number, each in enumerate(queries())
    ]
    recorded += [
        {"record": f"shown:annotation{number}", "expr": filled(expr)}
        for number, expr in enumerate(marks().values())
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": recorded}]}))
    checked = subprocess.run(
        [tool("promtool"), "check", "rules", file],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("board", panels())
def test_every_panel_says_what_it_shows_and_in_which_unit(board: str) -> None:
    for panel in panels()[board]:
        assert len(panel["description"]) > 15, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]


@pytest.mark.parametrize("board", panels())
def test_a_dashboards_panels_can_be_told_apart(board: str) -> None:
    assert Counter(panel["title"] for panel in panels()[board]).most_common(1)[0][1] == 1
    assert Counter(panel["id"] for panel in panels()[board]).most_common(1)[0][1] == 1


def test_what_is_not_there_is_not_shown_as_nought() -> None:
    assert not [query for query in queries() if "vector(" in query.expr]


def test_counters_are_shown_by_their_growth_and_gauges_of_one_owner_never_summed() -> None:
    """A counter stays at each process it was counted at; a lane's gauge is at two in a move."""
    ranged = ("rate(", "increase(", "min_over_time(", "present_over_time(")  # the last of `by_day`
    for each in queries():
        for name in used(each.expr):
            at = [found.start() for found in re.finditer(rf"\b{name}\b", each.expr)]
            before = [each.expr[:place] for place in at]
            if name.endswith(("_total", "_bucket", "_sum", "_count")):
                assert all(text.endswith(ranged) for text in before), each
            else:
                assert not any(re.search(r"sum( by \([^)]*\))? \($", text) for text in before), each


def test_each_alert_has_its_panel_which_links_to_its_runbook() -> None:
    linked = {
        (panel["title"], link["url"])
        for found in panels().values()
        for panel in found
        for link in panel.get("links", [])
    }
    assert linked == {
        (alert["annotations"]["panel"], f"${{runbooks}}/{name}.md")
        for name, alert in alerts().items()
    }


def test_nothing_personal_can_be_a_label_of_a_panel_or_a_text_of_an_alert() -> None:
    """Legends and summaries use only labels whose values are names of the config or closed sets."""
    harmless = {
        *("lane", "campaign", "vendor", "topic", "limit", "stage", "loop", "step", "instance"),
        *("status", "reason", "disposition", "answer", "code", "outcome", "why", "error", "result"),
        *("command", "rule", "phase", "question", "kind", "name", "by"),
        *("feed", "route"),
    }
    texts = [
        target["legendFormat"]
        for found in panels().values()
        for p in found
        for target in p["targets"]
    ]
    texts += [text for alert in alerts().values() for text in alert["annotations"].values()]
    named = {
        name
        for text in texts
        for name in re.findall(r"\{\{ ?(?:with )?\$?(?:labels\.)?(\w+)", text)
    }
    assert named - {"end", "else", "value"} <= harmless


@pytest.mark.parametrize("board", panels())
def test_dashboards_select_by_the_application_that_processes_name(board: str) -> None:
    """Panels select by job, and the jobs are those of the chosen applications."""
    variables = {each["name"]: each for each in boards()[board]["templating"]["list"]}
    assert variables["application"]["query"].endswith(", application)")
    assert 'application=~"$application"' in variables["job"]["query"]
    assert "allValue" not in variables["job"]  # else all jobs, whatever application is chosen
    for expr in [each.expr for each in queries() if each.board == board]:
        assert expr.count('job=~"$job"') == expr.count('namespace=~"$namespace"') > 0


def test_reloads_and_starts_are_marked() -> None:
    assert marks().keys() == {"Config taken", "Config refused", "Start"}
