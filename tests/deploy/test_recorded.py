"""Every query of the dashboards, asked of a Prometheus that scraped a real run with faults.

Each returns data, and each panel moves under the fault that it is there for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

import pytest

from deploy.monitoring.alert import ALERT_PREFIX
from tests.deploy.history import ASKED, remember
from tests.deploy.monitored import Shown, alerting, filled, marks, panels, queries
from tests.deploy.moves import FIRES, FIRES_OF_RULES, MARKED, MOVES, STILL, WITHOUT_DATA, Moves
from tests.deploy.prometheus import Prometheus, Series
from tests.deploy.recorded import AFTERMATH, JOB, RULES_JOB, RULES_WORK, P, Recording
from tests.deploy.rule_stories import record_rules
from tests.deploy.stories import record
from tests.support.kafka import StartBroker
from tests.support.valkey import valkey_factory

pytestmark = [pytest.mark.timeout(1200), pytest.mark.slow]  # the run takes some minutes, once


DAY = 86400.0
USUAL = 12.0
"""Seconds of the time when all worked that a panel is compared with: its last ones."""


@pytest.fixture(scope="module")
def recording(
    module_kafka_factory: StartBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Recording]:
    """The run, and the Prometheus that saw it."""
    kafka, folder = module_kafka_factory(), tmp_path_factory.mktemp
    with (
        Prometheus(folder("prometheus"), remember) as prometheus,
        valkey_factory(folder("valkey")) as start_valkey,
    ):
        recording = Recording(prometheus)
        record(kafka, folder("run"), recording)
        record_rules(kafka, folder("rules"), recording, start_valkey)
        yield recording


def asked(
    recording: Recording, expr: str, began: float, ended: float, job: str = ".*"
) -> list[Series]:
    return recording.prometheus.between(filled(expr, "10s", "10s", job), began, ended)


@pytest.mark.parametrize("shown", queries(), ids=lambda each: f"{each.board}: {each.panel}")
def test_every_query_returns_data(recording: Recording, shown: Shown) -> None:
    found = asked(recording, shown.expr, recording.began, recording.ended)
    if (shown.board, shown.panel) in WITHOUT_DATA:
        assert found == []
        return
    assert any(not math.isnan(value) for each in found for _, value in each.values)


def test_every_panel_has_a_fault_that_it_is_there_for() -> None:
    shown = {(board, panel["title"]) for board, found in panels().items() for panel in found}
    assert shown == MOVES.keys() | STILL.keys()


def _cases() -> list[Any]:
    return [
        pytest.param(panel, each, id=f"{' '.join(panel)}-{each.fault}")
        for panel, several in MOVES.items()
        for each in several
    ]


@pytest.mark.parametrize(("panel", "moves"), _cases())
def test_each_panel_moves_under_its_fault(
    recording: Recording, panel: tuple[str, str], moves: Moves
) -> None:
    exprs = [
        query.expr
        for query in queries()
        if (query.board, query.panel) == panel and moves.metric in query.expr
    ]
    began, ended = recording.faults[moves.fault]
    well = recording.faults[moves.usual][1]
    seen = _values(recording, exprs, moves, began, ended + AFTERMATH)
    usual = _values(recording, exprs, moves, well - USUAL, well)
    assert seen, "no such series during the fault"
    if moves.fault == "works":
        return
    if moves.up:
        assert not usual or max(seen) > max(usual)
    else:
        assert min(seen) < median(usual)


def _values(
    recording: Recording, exprs: Sequence[str], moves: Moves, began: float, ended: float
) -> list[float]:
    return [
        value
        for expr in exprs
        for each in asked(recording, expr, began, ended)
        if moves.labels.items() <= each.labels.items()
        for _, value in each.values
        if not math.isnan(value)
    ]


def test_versions_shows_a_second_config(recording: Recording) -> None:
    def configs(fault: str) -> set[str]:
        found = asked(recording, "survey_dispatcher_config_info", *recording.faults[fault])
        return {each.labels["version"] for each in found}

    assert len(configs("works")) == 1
    assert len(configs("contested")) == 2


@pytest.mark.parametrize("mark", marks())
def test_dashboards_mark_reloads_and_starts(recording: Recording, mark: str) -> None:
    """And nothing before: the minute in which all worked began with a start alone."""
    began, ended = recording.faults[MARKED[mark]]
    assert asked(recording, marks()[mark], began, ended + AFTERMATH)
    well = recording.faults["works"][1]
    assert bool(asked(recording, marks()[mark], well - 1, well)) == (mark == "Start")


def test_a_chosen_application_shows_its_own_series_alone(recording: Recording) -> None:
    """Its jobs are looked up as the dashboards' variable does."""
    began, ended = recording.began, recording.ended
    expr = f"group by (application, job) ({P}config_info)"
    found = [each.labels for each in recording.prometheus.between(expr, began, ended)]
    jobs = {each["application"]: each["job"] for each in found}
    assert sorted(jobs.values()) == [JOB, RULES_JOB]
    (lag,) = {query.expr for query in queries() if query.panel == "Input lag"}
    for application, job in jobs.items():
        topics = {each.labels["topic"] for each in asked(recording, lag, began, ended, job)}
        assert f"pos.{application}" in topics
        assert not topics & {f"pos.{other}" for other in jobs.keys() - {application}}


def test_the_managers_table_counts_each_day_by_route_and_reason(recording: Recording) -> None:
    """A full day of the history, and the day of the run as far as it went: first values too.

    Only surveys are compared, which went on all the time: Prometheus extrapolates an increase by a
    scrape, which is much of a series that began seconds before its process ended.
    """
    (table,) = {query.expr for query in queries() if query.panel == "By day, route and reason"}
    midnight = recording.began // DAY * DAY
    began, ended = midnight - 3 * DAY, recording.ended // DAY * DAY
    found = recording.prometheus.between(filled(table, job=RULES_JOB), began, ended, int(DAY))
    (former,) = (dict(each.values) for each in found if each.labels["route"] == "former")
    assert former[began] == pytest.approx(24 * ASKED, rel=0.02)
    rows = {_labels_of(each): _sum_from(midnight, each) for each in found}
    mine = f'{P}route_results_total{{job="{RULES_JOB}",route!="former",status="accepted"}}'
    counted = f"sum by (route, status, reason) (max_over_time({mine}[1h]))"
    last = recording.prometheus.now(counted)  # also what came after the last fault
    assert {each.labels["route"] for each in last} == {"store", "web", "cafe"}
    for each in last:
        assert rows[_labels_of(each)] == pytest.approx(each.values[-1][1], rel=0.02, abs=1), each


def _labels_of(series: Series) -> tuple[str, ...]:
    return tuple(series.labels[name] for name in ("route", "status", "reason"))


def _sum_from(began: float, series: Series) -> float:
    return sum(value for at, value in series.values if at >= began)


@pytest.mark.parametrize("alert", alerting(), ids=lambda alert: alert["alert"])
def test_prometheus_answers_each_alerts_expression(
    recording: Recording, alert: dict[str, Any]
) -> None:
    """At each second of the run, whatever was there to be matched."""
    recording.prometheus.between(alert["expr"], recording.began, recording.ended)


def test_every_rule_was_evaluated(recording: Recording) -> None:
    assert recording.prometheus.faulty_rules() == []


@pytest.mark.parametrize("fault", FIRES)
def test_alerts_see_the_fault_too(recording: Recording, fault: str) -> None:
    """Pending at least, for their patience is longer than this run."""
    assert FIRES[fault] <= _alerts(recording, JOB, *recording.faults[fault])


@pytest.mark.parametrize("fault", FIRES_OF_RULES)
def test_alerts_see_the_fault_of_rules_too(recording: Recording, fault: str) -> None:
    assert FIRES_OF_RULES[fault] <= _alerts(recording, RULES_JOB, *recording.faults[fault])


@pytest.mark.parametrize(("job", "usual"), [(JOB, "works"), (RULES_JOB, RULES_WORK)])
def test_no_alert_rings_while_all_works(recording: Recording, job: str, usual: str) -> None:
    well = recording.faults[usual][1]
    assert not _alerts(recording, job, well - USUAL - AFTERMATH, well - AFTERMATH)


def _alerts(recording: Recording, job: str, began: float, ended: float) -> set[str]:
    found = recording.prometheus.between(f'ALERTS{{job="{job}"}}', began, ended + AFTERMATH)
    return {each.labels["alertname"].removeprefix(ALERT_PREFIX) for each in found}
