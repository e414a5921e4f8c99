"""`survey-dispatcher simulate` as it is typed: its JSON, tables, plots, and what it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
from typer.testing import CliRunner

from benchmarks.rules.year import CONFIG as YEAR
from consumer.cli.simulate import simulate
from consumer.errors import OperationError
from consumer.simulate import plots
from consumer.simulate.remarks import duration

VALID = str(Path(__file__).parents[1] / "config" / "valid.yaml")
SHORT = ["--campaigns", "2", "--rate", "0.1", "--hours", "0.02"]
app = typer.Typer()
app.command()(simulate)


def told(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def refused(*arguments: str) -> str:
    result = CliRunner(env={"COLUMNS": "500"}).invoke(app, arguments)
    assert result.exit_code == 2
    return result.output


def events(tmp_path: Path, *minutes: int) -> str:
    path = tmp_path / "events.jsonl"
    rows = [
        {
            "id": f"t{number}",
            "time": f"2026-11-27T10:{minute:02d}:00+03:00",
            "channel": "pos",
            "amount": 150,
            "customer": {"phone": f"+90532{number:07d}", "consent": {"sms": True}},
        }
        for number, minute in enumerate(minutes)
    ]
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    return str(path)


UNSAMPLED: dict[str, Any] = YEAR | {"policies": {"standard": {"delay": "2h"}}}


def basket(number: int, household: str) -> bytes:
    customer = {"id": household, "phone": f"+90532{ord(household):07d}"}
    time = f"2026-03-{number + 2:02d}T12:00:00Z"
    return orjson.dumps({"id": f"b{number}", "time": time, "amount": 50, "customer": customer})


def test_json_ends_with_one_object_that_has_the_figures() -> None:
    figures = told(*SHORT, "--seed", "7")
    waits, calls = ["mean_wait", "p50", "p99", "max"], ["calls", "customers_per_call", "throttled"]
    assert list(figures)[:9] == [*waits, "bound", "ratio", *calls]
    assert figures["lanes"][0]["campaigns"][0]["campaign"] == "campaign-1"
    assert len(figures["lanes"][0]["over_time"]["permits_left"]) > 10


def test_recorded_events_are_played_by_the_config(tmp_path: Path) -> None:
    given = ["--config", VALID, "--topic", "pos.transaction-completed"]
    figures = told(*given, "--events", events(tmp_path, 0, 1, 2), "--speed", "60")
    [lane] = figures["lanes"]
    assert (lane["lane"], lane["customers"], lane["calls"]) == ("pisano-cloud", 3, 2)
    assert lane["campaigns"][0]["campaign"] == "purchase-sms"


def test_all_rules_count_what_becomes_of_recorded_events(tmp_path: Path) -> None:
    """Three customers are asked once; a second purchase within 30 days is held back."""
    (config := tmp_path / "year.json").write_bytes(orjson.dumps(UNSAMPLED))
    found = [basket(number, household) for number, household in enumerate("abca")]
    (recorded := tmp_path / "events.jsonl").write_bytes(b"\n".join([*found, b"{"]))
    given = ["--rules", "-c", str(config), "--events", str(recorded)]
    assert told(*given) == {
        "events": 5,
        "unmatched": 0,
        "dead_letters": 1,
        "results": {"accepted": {"accepted": 3}, "suppressed": {"contact_limit": 1}},
        "by_rule": {"everyone": 1},
    }
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, given).output
    assert "what became of 5 events" in shown
    assert "contact rule everyone held back 1" in shown


def test_rules_need_recorded_events() -> None:
    assert "needs --events, --topic or --baskets" in refused("--rules")


def test_limits_and_share_replace_the_configs(tmp_path: Path) -> None:
    given = ["-c", VALID, "--topic", "pos.transaction-completed", "--events", events(tmp_path, 0)]
    [lane] = told(*given, "--limits", "1/10s, 5/1m", "--share", "0.5")["lanes"]
    assert (lane["limits"], lane["share"]) == (["1/10s", "5/60s"], 0.5)


def test_a_config_alone_gets_synthetic_traffic_for_its_campaigns() -> None:
    figures = told("-c", VALID, "--rate", "0.2", "--hours", "0.02")
    assert [lane["lane"] for lane in figures["lanes"]] == ["pisano-cloud", "radar"]
    assert figures["lanes"][1]["logins"] > 0
    [only] = told("-c", VALID, "--rate", "0.2", "--hours", "0.02", "--lane", "radar")["lanes"]
    assert [campaign["campaign"] for campaign in only["campaigns"]] == ["visit"]


@pytest.mark.parametrize("given", [["--lane", "radar"], ["--events", "EVENTS", "--topic", "pos"]])
def test_what_needs_a_config_takes_the_default_one(
    given: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """$SURVEY_DISPATCHER_CONFIG, else routing.yaml: as for every other command."""
    asked = [each.replace("EVENTS", events(tmp_path, 0)) for each in [*SHORT[2:], *given]]
    asked = [each.replace("pos", "pos.transaction-completed") for each in asked]
    monkeypatch.setenv("SURVEY_DISPATCHER_CONFIG", VALID)
    by_variable = told(*asked)
    monkeypatch.delenv("SURVEY_DISPATCHER_CONFIG")
    (tmp_path / "routing.yaml").write_text(Path(VALID).read_text())
    monkeypatch.chdir(tmp_path)
    assert told(*asked) == by_variable
    assert by_variable["lanes"][0]["lane"] in ("radar", "pisano-cloud")


def test_synthetic_traffic_needs_no_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SURVEY_DISPATCHER_CONFIG", VALID)
    assert told(*SHORT)["lanes"][0]["campaigns"][0]["campaign"] == "campaign-1"


def test_a_backlog_is_given_in_all_or_by_campaign() -> None:
    [lane] = told(*SHORT, "--backlog", "1000")["lanes"]
    assert lane["backlog"]["customers"] == 1000
    [lane] = told(*SHORT, "--backlog", "campaign-2=70")["lanes"]
    assert lane["backlog"]["campaigns"].keys() == {"campaign-2"}
    assert lane["backlog"]["customers"] == 70


def test_people_get_tables() -> None:
    arguments = [*SHORT, "--backlog", "1000", "--compare", "40/5s", "--baselines"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    for expected in ("campaign-1", "A backlog of 1,000 drains in", "now:", "seal-after-60s"):
        assert expected in result.output


@pytest.mark.parametrize("config", [[], pytest.param(["-c", VALID], marks=pytest.mark.deep)])
def test_no_label_is_cut_at_80_columns_and_the_own_row_has_a_name(config: list[str]) -> None:
    arguments = [*SHORT, *config, "--backlog", "120000", "--baselines"]
    result = CliRunner(env={"COLUMNS": "80"}).invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "…" not in result.output
    for label in ("seal-after-1s", "seal-after-60s", "late-oldest-first", "with reserve:"):
        assert f" {label}" in result.output
    assert (" valid.yaml " if config else " this program ") in result.output


def test_a_backlog_comes_again_and_permits_are_kept() -> None:
    once = [*SHORT, "--backlog", "1000", "--reserve", "4"]
    assert told(*once, "--every", "0.01")["customers"] == told(*once)["customers"] + 1000


def test_many_campaigns_are_cut_short() -> None:
    result = CliRunner().invoke(app, ["--campaigns", "23", "--hours", "0.01", "--rate", "0.2"])
    assert "… 3 more" in result.output


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (599.9, "599.9 s"),
        (600, "10 min"),
        (7199, "2 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_picture_is_a_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason='needs the extra: pip install -e ".[plot]"')
    told(*SHORT, "--compare", "40/5s", "--plot", str(tmp_path / "a.png"))
    assert (tmp_path / "a.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with pytest.raises(OperationError, match="No such file"):
        plots.png(told(*SHORT), tmp_path / "gone" / "a.png")


def test_a_terminal_gets_plots_of_plain_text() -> None:
    pytest.importorskip("plotext", reason='needs the extra: pip install -e ".[plot]"')
    result = CliRunner().invoke(app, [*SHORT, "--chart"])
    assert "simulated: permits left, %" in result.output
    assert "simulated: customers waiting" in result.output
    assert "\x1b" not in result.output


@pytest.mark.parametrize("module", ["matplotlib.figure", "plotext"])
def test_without_the_extra_it_says_what_to_install(
    module: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    given = ["--chart"] if module == "plotext" else ["--plot", str(tmp_path / "a.png")]
    result = CliRunner().invoke(app, [*SHORT, *given])
    assert isinstance(result.exception, OperationError)
    assert "survey-dispatcher[plot]" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--limits", "20"], "expected calls/duration"),
        (["--compare", "0/5s"], "expected at least 1 call"),
        (["--speed", "0"], "expected a number above 0"),
        (["--backlog", "many"], "expected a number, or one of the campaigns"),
        (["--backlog", "other=5"], "not other=5"),
        (
            ["-c", VALID, "--lane", "other"],
            "expected one of the config's lanes: pisano-cloud, rada",
        ),
        (["--from", "noon"], "expected earliest, latest, an offset or an RFC 3339 time"),
        (
            ["--to", "2026-11-27T10:00:00"],
            "+03:00, found '2026-11-27T10:00:00'",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: list[str], expected: str) -> None:
    assert expected in " ".join(refused(*SHORT, *arguments).replace("│", " ").split())
