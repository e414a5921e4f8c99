"""A command that finds no broker says where it looked and what to check, and ends with 2."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.cli.main import main
from consumer.kafka import reachability

CONFIG = """\
version: 1
application_id: surveys
kafka: {{bootstrap.servers: '{servers}'{more}}}
pseudonym: {{key_id: k1, key: 0123456789abcdef}}
quotas: {{q: {{limits: []}}}}
vendors: {{p: {{type: pisano, base_url: 'https://x.example.com', token: t, quota: q}}}}
campaigns: {{c: {{vendor: p, channel: sms, id: a}}}}
inputs: {{i: {{topics: [t], format: json}}}}
routes: [{{name: r, input: i, recipient: {{phone: p}}, phone_region: TR, send: [c]}}]
"""
COMMANDS = [
    ("topics",),
    ("topics", "--create"),
    ("resend", "--status", "unknown"),
    ("resend", "--status", "unknown", "--dry-run"),
    ("dlq", "list"),
    ("dlq", "show", "0/1"),
    ("dlq", "replay", "--all"),
    ("lanes", "list"),
    ("lanes", "drain", "old"),
    ("lanes", "close", "old"),
    ("lanes", "reopen", "pisano"),
    ("inputs", "list"),
    ("inputs", "resume", "pos", "--from", "latest"),
    ("campaigns", "retry", "c"),
    ("status",),
]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachability, "WAIT", 0.4)


@pytest.fixture
def mute() -> Iterator[int]:
    """The port of a server that takes connections, answers with a page and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def said(
    words: tuple[str, ...],
    servers: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: str = "",
) -> str:
    config = folder / "routing.yaml"
    config.write_text(CONFIG.format(servers=servers, more=more))
    monkeypatch.setattr("sys.argv", ["survey-dispatcher", *words, "-c", str(config)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_says_where_it_looked_and_what_to_check(
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    port = closed_port()
    told = said(words, f"127.0.0.1:{port}", tmp_path, monkeypatch, capsys)
    assert f"no broker answers at 127.0.0.1:{port} within" in told
    assert "Check bootstrap.servers, firewalls" in told


@pytest.mark.parametrize("more", ["", ", security.protocol: SSL"])
def test_what_is_no_broker_is_told_too(
    more: str,
    mute: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Another service, or TLS to a plain port."""
    told = said(("topics",), f"127.0.0.1:{mute}", tmp_path, monkeypatch, capsys, more)
    assert f"no broker answers at 127.0.0.1:{mute}" in told
    assert "security.protocol" in told


def test_a_host_that_is_not_known_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = said(("topics",), "kafka.invalid:9092", tmp_path, monkeypatch, capsys)
    assert "no broker answers at kafka.invalid:9092" in told
    assert "Check " in told


@pytest.mark.parametrize("option", [("--partitions", "0"), ("--replication", "-2")])
def test_numbers_that_no_topic_can_have_are_refused(
    option: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = said(("topics", *option), "127.0.0.1:1", tmp_path, monkeypatch, capsys)
    assert option[0] in told
