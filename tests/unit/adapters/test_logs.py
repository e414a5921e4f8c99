"""Log lines as a machine reads them, and a person beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from consumer.adapters import logs


@pytest.fixture(autouse=True)
def _unconfigured_afterwards() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_a_line_begins_with_when_how_bad_and_what(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up()
    structlog.get_logger().info("call", lane="radar", customers=3)
    out, err = capsys.readouterr()
    line = json.loads(err)
    assert out == ""
    assert list(line) == ["timestamp", "level", "event", "lane", "customers"]
    assert (line["level"], line["event"], line["lane"]) == ("info", "call", "radar")


def test_what_is_below_the_level_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(logs.Level.WARNING)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["loud"]
