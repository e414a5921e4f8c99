"""The chart as Helm renders it, for the tests of this folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
from ruamel.yaml import YAML

from tests.support.tools import HELM

ROOT = Path(__file__).parent.parent.parent
CHART = ROOT / "deploy" / "chart"
VALUE_SETS = sorted(path.stem for path in (CHART / "ci").glob("*.yaml"))
NEWEST = 3
"""Kubernetes minors that the chart is held to."""

Manifest = dict[str, Any]


@cache
def minors() -> tuple[str, ...]:
    """The newest Kubernetes minors that schemas are bundled for, as 1.37."""
    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
    found = {
        (int(name[1]), int(name[2]))
        for path in folder.iterdir()
        if (name := re.match(r"v(\d+)\.(\d+)\.\d+-local-strict$", path.name))
    }
    return tuple(f"{major}.{minor}" for major, minor in sorted(found)[-NEWEST:])


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one value set makes; `refused` is Helm's message where it makes nothing."""

    manifests: tuple[Manifest, ...]
    refused: str = ""

    def of(self, kind: str) -> list[Manifest]:
        """All of a kind, hooks too."""
        return [manifest for manifest in self.manifests if manifest["kind"] == kind]

    def one(self, kind: str) -> Manifest:
        """The only one of its kind."""
        (found,) = self.of(kind)
        return found

    def pods(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Name and pod spec of every workload, jobs too."""
        for each in self.manifests:
            template = pod_template(each)
            if template is not None:
                yield f"{each['kind']}/{each['metadata']['name']}", template["spec"]

    def configs(self) -> dict[str, str]:
        """ConfigMap → the routing config that it holds."""
        maps = {each["metadata"]["name"]: each.get("data", {}) for each in self.of("ConfigMap")}
        return {name: data["routing.yaml"] for name, data in maps.items() if "routing.yaml" in data}


def pod_template(manifest: Manifest) -> Manifest | None:
    """The template of a workload's pods, of a CronJob's too; None of what has no pods."""
    spec = manifest.get("spec", {})
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    found: Manifest | None = spec.get("template")
    return found


def render(value_set: str, *options: str, minor: str | None = None) -> Rendered:
    """`helm template` of one of `ci/`, for a Kubernetes minor (the newest)."""
    code, out, errors = _template(value_set, minor or minors()[-1], options)
    if code:
        return Rendered((), errors)
    # Read again each time: a test may change what it gets.
    return Rendered(tuple(each for each in YAML(typ="safe").load_all(out) if each))


@cache
def _template(value_set: str, minor: str, options: tuple[str, ...]) -> tuple[int, str, str]:
    values = f"--values={CHART / 'ci' / value_set}.yaml"
    version = f"--kube-version={minor}.0"
    return HELM.run("template", "surveys", CHART, values, version, *options)
