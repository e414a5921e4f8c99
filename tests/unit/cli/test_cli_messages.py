"""A wrong option is answered with what was expected, and exit code 2: never with a traceback."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumer.cli.main import app, main


def refusal(*words: str) -> str:
    """What the command says, as one line without its frame."""
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    return " ".join(done.output.replace("│", " ").split())


def test_an_unknown_log_level_is_answered_with_the_known_ones() -> None:
    said = refusal("run", "--log-level", "loud")
    for level in ("debug", "info", "warning", "error"):
        assert level in said


@pytest.mark.parametrize("begin", ["tomorrow", "2026-11-22", "2026-11-22T10:00:00"])
def test_an_unclear_beginning_is_answered_with_an_example(begin: str) -> None:
    said = refusal("run", "--from", begin)
    assert "--from" in said
    assert "2026-01-31T08:00:00+03:00" in said


@pytest.mark.parametrize("speed", ["0", "-1", "nan"])
def test_produce_needs_a_speed_above_0(speed: str) -> None:
    assert "above 0" in refusal("produce", "--speed", speed)


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port}" in refusal("sandbox", "--port", str(port))


def test_a_misspelt_librdkafka_setting_is_refused_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The config's own checks leave librdkafka's names to librdkafka."""
    config = tmp_path / "routing.yaml"
    config.write_text(
        "version: 1\n"
        "application_id: surveys\n"
        "kafka: {bootstrap.servers: 'localhost:9092', security.protocl: SSL}\n"
        "pseudonym: {key_id: k1, key: 0123456789abcdef}\n"
        "quotas: {q: {limits: []}}\n"
        "vendors: {p: {type: pisano, base_url: 'https://x.example.com', token: t, quota: q}}\n"
        "campaigns: {c: {vendor: p, channel: sms, id: a}}\n"
        "inputs: {i: {topics: [t], format: json}}\n"
        "routes: [{name: r, input: i, recipient: {phone: p}, send: [c]}]\n"
    )
    monkeypatch.setattr("sys.argv", ["survey-dispatcher", "validate", "-c", str(config)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{config}:3: kafka.security.protocl: ")
    assert "security.protocl" in said


def test_only_results_that_reached_no_customer_can_be_sent_again() -> None:
    said = refusal("resend", "--status", "accepted")
    for status in ("unknown", "failed", "rejected", "expired"):
        assert status in said


@pytest.mark.parametrize("since", ["yesterday", "2026-11-22T10:00:00", "2 h"])
def test_an_unclear_time_is_answered_with_both_forms(since: str) -> None:
    said = refusal("resend", "--status", "unknown", "--since", since)
    assert "--since" in said
    assert "2026-01-31T08:00:00+03:00" in said
    assert "2h" in said


def test_a_replay_of_everything_must_be_asked_for() -> None:
    assert "--all" in refusal("dlq", "replay")


@pytest.mark.parametrize("words", [("show", "42"), ("replay", "0:42", "--yes")])
def test_a_letter_is_named_by_partition_and_offset(words: tuple[str, ...]) -> None:
    said = refusal("dlq", *words)
    assert "0/42" in said
    assert words[1] in said
