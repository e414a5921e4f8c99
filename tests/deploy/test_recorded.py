"""Every query of the dashboards, asked of a Prometheus that scraped a real run with faults.

Each returns data, and each panel moves under the fault that it is there for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from statistics import median
from typing import Any

import pytest

from deploy.monitoring.alert import ALERT_PREFIX
from tests.deploy.history import remember_answers
from tests.deploy.monitored import Shown, filled, panels, queries
from tests.deploy.moves import FIRES, FIRES_OF_RULES, MOVES, STILL, WITHOUT_DATA, Moves
from tests.deploy.prometheus import Prometheus, Series
from tests.deploy.recorded import AFTERMATH, JOB, RULES_JOB, RULES_WORK, Recording
from tests.deploy.rule_stories import record_rules
from tests.deploy.stories import record
from tests.support.kafka import StartBroker
from tests.support.valkey import valkey_factory

pytestmark = [pytest.mark.timeout(1200), pytest.mark.slow]  # the run takes some minutes, once


USUAL = 12.0
"""Seconds of the time when all worked that a panel is compared with: its last ones."""


@pytest.fixture(scope="module")
def recording(
    module_kafka_factory: StartBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Recording]:
    """The run, and the Prometheus that saw it."""
    kafka, folder = module_kafka_factory(), tmp_path_factory.mktemp
    history = partial(remember_answers, job=RULES_JOB)
    with (
        Prometheus(folder("prometheus"), history) as prometheus,
        valkey_factory(folder("valkey")) as start_valkey,
    ):
        recording = Recording(prometheus)
        record(kafka, folder("run"), recording)
        record_rules(kafka, folder("rules"), recording, start_valkey)
        yield recording


def asked(recording: Recording, expr: str, began: float, ended: float) -> list[Series]:
    return recording.prometheus.between(filled(expr, "10s", "10s"), began, ended)


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
