"""The parts of `make cluster-check` that need no cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.__main__ import table
from tests.cluster.check import Row
from tests.cluster.processes import Processes, sweep
from tests.cluster.settings import Settings

WAITS = "import signal; signal.pause()"


def watch(processes: Processes) -> None:
    while True:
        processes.check()


def test_what_a_killed_run_has_left_is_ended_and_its_logs_stay(tmp_path: Path) -> None:
    """A shim is known by its home; so are the processes below it. Others go on."""
    home = (tmp_path / "run").resolve()
    (home / "logs").mkdir(parents=True)
    (home / "etcd").mkdir()
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{WAITS}'])"
    left = subprocess.Popen([sys.executable, "-c", parent, f"{home}/containerd.sock"])
    other = subprocess.Popen([sys.executable, "-c", WAITS, f"{tmp_path}/other"])
    try:
        sweep(home)
        assert left.wait(60) != 0
        assert other.poll() is None
        assert [path.name for path in home.iterdir()] == ["logs"]
    finally:
        other.kill()
        other.wait()


def test_a_program_that_ends_by_itself_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    processes.start("etcd", sys.executable, "-c", "raise SystemExit('no space left')")
    with pytest.raises(RuntimeError, match=r"etcd ended with 1:\nno space left"):
        watch(processes)


def test_nothing_of_the_cluster_listens_beyond_the_machine(tmp_path: Path) -> None:
    """On the loopback address, or on the bridge of the pods."""
    settings = Settings(tmp_path / "run")
    settings.write()
    assert '"address": "10.244.0.1"' in (tmp_path / "run" / "kubelet.yaml").read_text()
    assert "bind 10.244.0.1" in (tmp_path / "run" / "Corefile").read_text()
    assert settings.api.startswith("https://127.0.0.1:")


def test_the_figures_are_a_table() -> None:
    assert table([Row("install", 12.4, 1_000, 1_000, 0, 20, "2 of 2")]).splitlines()[2] == (
        "| install | 12 | 1,000 | 1,000 | 0 | 20 | 2 of 2 |"
    )
