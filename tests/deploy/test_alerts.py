"""The rules: generated, tested with promtool for what fires and what must not, and complete."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from consumer.config.policy_sections import Policy
from consumer.records.result import Reason, Status
from deploy.monitoring import __main__, dashboards, recording, thresholds
from deploy.monitoring.alert import ALERT_PREFIX
from tests.deploy.monitored import RULES, alerting, alerts, quicker, rules, series, tool, used

CASES = sorted(RULES.parent.glob("*.test.yaml"))
_CASE_LABELS = ("lane", "vendor", "campaign", "topic", "stage", "loop", "instance")


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [tool("promtool"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def blocks(alert: str) -> list[dict[str, Any]]:
    """The tests that are named after an alert."""
    documents = [YAML(typ="safe").load(path.read_text()) for path in CASES]
    return [
        test
        for document in documents
        for test in document["tests"]
        if alert in test["name"].replace(",", " ").split()
    ]


OF_WEEKS, QUICKER = {"inputs.test"}, 12
"""Cases of more than 36 hours are played so many times quicker: after these promtool moves its data
away in the background, and a rule that is evaluated in that moment sees none."""


def test_the_checked_in_files_equal_what_the_code_writes() -> None:
    stale = [path.name for path, text in dashboards.files().items() if path.read_text() != text]
    assert not stale, "`python -m deploy.monitoring` writes them again"


def test_prometheus_takes_the_rules() -> None:
    checked = promtool("check", "rules", RULES)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("cases", CASES, ids=lambda path: path.stem)
def test_alerts_fire_when_they_must_and_only_then(cases: Path, tmp_path: Path) -> None:
    if cases.stem in OF_WEEKS:
        for path in (RULES, cases):
            (tmp_path / path.name).write_text(quicker(path.read_text(), QUICKER))
        cases = tmp_path / cases.name
    tested = promtool("test", "rules", cases)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("alert", alerts())
def test_each_alert_is_seen_to_fire_and_to_keep_still(alert: str) -> None:
    """Some case of its tests fires, and some other must not (at that time, or at all)."""
    fired, silent = set[str](), False
    for block in blocks(alert):
        expected, quiet = _expected(block, alert)
        fired |= expected
        silent = silent or quiet or bool(_cases(block) - expected)
    assert fired, f"no test sees {alert} fire"
    assert silent, f"no test sees {alert} keep still"


def _expected(block: dict[str, Any], alert: str) -> tuple[set[str], bool]:
    """Label values of the cases that fire; whether some check expects none."""
    samples = [
        each.get("exp_samples", [])
        for each in block.get("promql_expr_test", [])
        if f'"{ALERT_PREFIX}{alert}"' in each["expr"]
    ]
    raised = [
        each.get("exp_alerts", [])
        for each in block.get("alert_rule_test", [])
        if each["alertname"] == ALERT_PREFIX + alert
    ]
    values = {each["labels"] for found in samples for each in found}
    values |= {str(each["exp_labels"]) for found in raised for each in found}
    return values, not all([*samples, *raised])


def _cases(block: dict[str, Any]) -> set[str]:
    """Label values of the input, as the expectations write them."""
    return {
        f'{{{label}="{part.split(chr(34))[1]}"}}'
        for each in block["input_series"]
        for part in each["series"].split("{")[1].split(", ")
        for label in _CASE_LABELS
        if part.startswith(f"{label}=")
    }


def test_rules_name_only_metrics_that_the_program_has() -> None:
    unknown = {name for rule in rules() for name in used(rule["expr"])} - series().keys()
    assert not unknown


def test_recorded_names_are_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    named = {
        word.rstrip("[]0123456789mh")
        for rule in rules()
        for word in rule["expr"].replace("(", " ").replace(")", " ").split()
        if ":survey_dispatcher_" in word
    }
    assert {each.split("[")[0] for each in named} <= {
        name.rstrip("0123456789mh") for name in recorded
    } | recorded


def test_an_alert_that_pages_says_what_to_do() -> None:
    for alert in alerting():
        said, name = alert["annotations"], alert["alert"].removeprefix(ALERT_PREFIX)
        assert alert["alert"] == f"SurveyDispatcher{name}"
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert said["summary"].endswith(".")
        assert said["description"].endswith(".")
        assert said["runbook_url"] == f"deploy/runbooks/{name}.md"


def test_thresholds_fit_the_defaults_they_are_taken_from() -> None:
    assert Policy().expire_after * 2 / 3 == thresholds.NEAR_EXPIRY


def test_what_rules_and_operators_decide_does_not_count_as_a_bad_result() -> None:
    """A reason that is not named in either list counts as bad until one of them names it."""
    excused = {*recording.NOT_OURS, Reason.ACCEPTED}
    counted = {each for each in Reason if each.status is not Status.SUPPRESSED} - excused
    assert {Reason.VENDOR_REJECTED, Reason.ATTEMPTS_EXHAUSTED, Reason.NO_ANSWER} <= counted
    assert all(reason.value in recording.COUNTED for reason in recording.NOT_OURS)


def test_links_lead_to_the_runbooks_that_an_installation_names(tmp_path: Path) -> None:
    """Alerts name the page in full; dashboards have its folder as a variable."""
    __main__.main(["--runbooks", "https://wiki.example.com/runbooks/", "--to", str(tmp_path)])
    text = (tmp_path / "rules" / RULES.name).read_text()
    assert "runbook_url: https://wiki.example.com/runbooks/LaneStalled.md\n" in text
    assert "deploy/runbooks" not in text
    for board in dashboards.BOARDS:
        text = (tmp_path / "dashboards" / f"{board}.json").read_text()
        assert '"https://wiki.example.com/runbooks"' in text
        assert "deploy/runbooks" not in text
