"""Options of `send-csv`: what is refused before the config is read."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumer.cli.main import app
from consumer.cli.send_csv import _not_before, _separator

NOW = dt.datetime(2026, 11, 29, 8, tzinfo=dt.UTC).timestamp()
NINE = dt.datetime(2026, 12, 1, 6, tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--timezone", "Istanbul"], "expected a name as Europe/Istanbul"),
        (["--not-before", "2026-12-01T09:00"], "with its offset"),
        (["--not-before", "tomorrow", "--timezone", "Europe/Istanbul"], "with its offset"),
        (["--not-before", "2126-12-01T09:00Z"], "at most 90 days ahead"),
        (["--separator", ";;"], "one sign, or tab"),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused(
    options: list[str], said: str, tmp_path: Path
) -> None:
    """Before the config is read, whose secrets are not there."""
    config = Path(__file__).parents[1] / "config" / "example.yaml"
    words = ["send-csv", str(tmp_path / "no.csv"), "--route", "store", "-c", str(config)]
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*words, *options])
    assert done.exit_code != 0
    assert said in " ".join(done.output.split()) or said in str(done.exception)


def test_a_time_to_wait_for_is_local_where_a_zone_is_named() -> None:
    assert _not_before("2026-12-01T09:00+03:00", None, NOW) == NINE
    assert _not_before("2026-12-01T09:00", "Europe/Istanbul", NOW) == NINE
    assert _not_before("2026-12-01 09:00", "Europe/Istanbul", NOW) == NINE
    assert _not_before("2026-11-01T09:00Z", None, NOW) == 0.0


def test_a_tab_may_be_written_as_a_word() -> None:
    assert (_separator("tab"), _separator(";"), _separator(None)) == ("\t", ";", None)
