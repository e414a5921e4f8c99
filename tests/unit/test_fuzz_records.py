"""The short form of `python -m tests.fuzz.records`, and that it would find what it looks for."""

from __future__ import annotations

import pytest

from consumer.lane.state.pending import PendingInvitation
from tests.fuzz.records import Fuzz


def test_no_damaged_record_escapes_its_fate() -> None:
    fuzz = Fuzz(17)

    fuzz.run(1_500)

    assert fuzz.failures == {}
    assert all(fuzz.taken[kind] > 100 for kind in fuzz.kinds), fuzz.taken


def test_a_reader_that_fails_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read(_offset: int, value: bytes, _since: float) -> PendingInvitation:
        raise KeyError(value)

    monkeypatch.setattr(PendingInvitation, "read", staticmethod(read))
    fuzz = Fuzz(17)

    fuzz.run(3)

    assert fuzz.failures
    assert "invitation: KeyError" in capsys.readouterr().err
