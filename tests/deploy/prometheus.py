"""A real Prometheus with our rules, that scrapes each second."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from tests.deploy.monitored import RULES, tool
from tests.support import local_http
from tests.support.dispatcher import until
from tests.support.kafka import free_ports

_CONFIG = {
    "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
    "scrape_configs": [
        {
            "job_name": "survey-dispatcher",
            "file_sd_configs": [{"files": ["targets.json"], "refresh_interval": "1s"}],
        }
    ],
}


@dataclass(frozen=True, slots=True)
class Series:
    """Labels, and values by time (epoch seconds)."""

    labels: Mapping[str, str]
    values: Sequence[tuple[float, float]]


class Prometheus:
    """A context manager; its data and log are in `home`. `history`: fills its data before."""

    def __init__(
        self, home: Path, history: Callable[[Path], None] | None = None, rules: Path = RULES
    ) -> None:
        self._history = history
        self._config = {**_CONFIG, "rule_files": [str(rules)]}
        self._home = home
        self._ports: dict[int, str] = {}
        self._url = f"http://127.0.0.1:{free_ports(1)[0]}"

    def __enter__(self) -> Self:
        (self._home / "prometheus.yml").write_text(json.dumps(self._config))  # JSON is YAML
        (self._home / "targets.json").write_text("[]")
        if self._history is not None:
            self._history(self._home / "data")
        command = [
            tool("prometheus"),
            f"--config.file={self._home / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._home / 'data'}",
            f"--web.listen-address={self._url.removeprefix('http://')}",
            "--log.level=warn",
            "--enable-feature=exemplar-storage",
        ]
        with (self._home / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        until("Prometheus is ready", self._ready)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)

    def scrape(self, port: int, job: str) -> None:
        """Scrape this port of ours too, from now on, as one of this application's."""
        self._ports[port] = job
        targets = [
            {"targets": [f"127.0.0.1:{port}"], "labels": {"job": job}}
            for port, job in self._ports.items()
        ]
        (self._home / "targets.json").write_text(json.dumps(targets))

    def now(self, expr: str) -> list[Series]:
        """The expression's series at this moment."""
        found = self._ask("query", query=expr)
        return [Series(each["metric"], [_point(each["value"])]) for each in found]

    def between(self, expr: str, began: float, ended: float, step: int = 1) -> list[Series]:
        """The expression's series at each `step` (seconds) between two times."""
        found = self._ask("query_range", query=expr, start=began, end=ended, step=step)
        return [Series(each["metric"], list(map(_point, each["values"]))) for each in found]

    def exemplars(self, expr: str, began: float, ended: float) -> list[dict[str, Any]]:
        """The exemplars (labels, value, timestamp) of the expression's series between two times."""
        found = self._ask("query_exemplars", query=expr, start=began, end=ended)
        return [exemplar for each in found for exemplar in each["exemplars"]]

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that ring or soon may: `state`, `labels`, `annotations`, `activeAt`."""
        answer = local_http.get(f"{self._url}/api/v1/alerts", timeout=20).json()
        found: list[dict[str, Any]] = answer["data"]["alerts"]
        return found

    def faulty_rules(self) -> list[str]:
        """Rules whose last evaluation failed, and why."""
        answer = local_http.get(f"{self._url}/api/v1/rules", timeout=20).json()
        groups = answer["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert rules
        return [f"{rule['name']}: {rule['lastError']}" for rule in rules if rule.get("lastError")]

    def _ready(self) -> bool:
        assert self._process.poll() is None, (self._home / "prometheus.log").read_text()[-2000:]
        try:
            return local_http.get(f"{self._url}/-/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def _ask(self, what: str, **parameters: str | float) -> list[dict[str, Any]]:
        answer = local_http.get(f"{self._url}/api/v1/{what}", params=parameters, timeout=20).json()
        assert answer["status"] == "success", f"{answer.get('error')}: {parameters['query']}"
        data = answer["data"]
        found: list[dict[str, Any]] = data if isinstance(data, list) else data["result"]
        return found


def _point(pair: Sequence[Any]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
