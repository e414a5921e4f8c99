"""The short form of `python -m tests.fuzz.configs`, and that it would find what it looks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumer.config import Config
from consumer.lane.state.settings import LaneSettings
from tests.fuzz import configs
from tests.fuzz.configs import ConfigFuzz, feed


def test_a_config_that_is_accepted_runs(tmp_path: Path) -> None:
    """From the text to a call, and over from the config before."""
    fuzz = ConfigFuzz(tmp_path)
    feed(fuzz, 60, 17)
    assert fuzz.failures == {}
    assert fuzz.tried >= 60
    assert fuzz.accepted >= 10
    assert fuzz.called >= 5


def test_what_raises_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(config: Config, lane: str) -> LaneSettings:
        raise KeyError(f"{lane} of {config.application_id}")

    monkeypatch.setattr(configs, "lane_settings", broken)
    fuzz = ConfigFuzz(tmp_path)
    feed(fuzz, 30, 17)
    assert fuzz.failures
    assert "KeyError" in capsys.readouterr().err
