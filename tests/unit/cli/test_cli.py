"""How the program ends when it meets a defect of its own."""

from __future__ import annotations

import pytest

from consumer.cli import main


def test_a_defect_says_where_but_not_what_it_met(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text of an unforeseen error may repeat an event."""

    def fail() -> None:
        raise ValueError(f"no such customer: {'+90532'}1234567")

    monkeypatch.setattr(main, "app", fail)
    with pytest.raises(SystemExit) as ended:
        main.main()

    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert "ValueError: a defect" in told
    assert "test_cli.py" in told
    assert "+905321234567" not in told
