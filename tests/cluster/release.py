"""The release of the chart under check: Helm's commands, and what they leave on the cluster."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.images import REPOSITORY, TAG
from tests.cluster.node import PATIENCE, Cluster, wait_for
from tests.cluster.world import PSEUDONYM, TOKENS, ClusterWorld
from tests.support import local_http
from tests.support.dispatcher import Metrics
from tests.support.tools import HELM

CHART = Path(__file__).parent.parent.parent / "deploy" / "chart"
NAMESPACE, NAME = "surveys", "surveys"
WORKLOAD = f"{NAME}-survey-dispatcher"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


class HelmError(Exception):
    """Helm gave up; the message is its own."""


@dataclass
class Release:
    """The chart in a namespace that enforces the restricted profile."""

    cluster: Cluster
    world: ClusterWorld

    def prepare(self) -> None:
        """The namespace, and the Secret that the chart does not make."""
        namespace = {"metadata": {"name": NAMESPACE, "labels": RESTRICTED}}
        self.cluster.apply({"apiVersion": "v1", "kind": "Namespace"} | namespace)
        self.write_secret({})

    def write_secret(self, changed: dict[str, str]) -> None:
        """Write the Secret, with other values of some keys."""
        values = TOKENS | {"pseudonym": PSEUDONYM} | changed
        metadata = {"name": "surveys", "namespace": NAMESPACE}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
        self.cluster.apply(secret | {"stringData": values})

    def install(self) -> None:
        """`helm install` with the chart's own values, and what it cannot know. Raises HelmError."""
        self.helm("install", NAME, CHART, *self._values(self.world.document()), "--wait")

    def upgrade(self, values: dict[str, Any], within: float = PATIENCE) -> None:
        """`helm upgrade --reuse-values` with some values changed. Raises HelmError."""
        changed = f"--values={self._file('changed', values)}"
        self.helm("upgrade", NAME, CHART, "--reuse-values", changed, "--wait", within=within)

    def configure(self, document: dict[str, Any]) -> None:
        """Upgrade to another config. Raises HelmError."""
        self.upgrade({"config": json.dumps(document)})

    def helm(self, command: str, *arguments: str | Path, within: float = PATIENCE) -> str:
        """Raises HelmError."""
        home = self.world.home / "helm"
        settings = {f"HELM_{each}_HOME": str(home / each) for each in ("CACHE", "CONFIG", "DATA")}
        settings["KUBECONFIG"] = str(self.cluster.settings.kubeconfig)
        words = [str(HELM.binary), command, f"--namespace={NAMESPACE}", *map(str, arguments)]
        words += [] if command in {"history", "list"} else [f"--timeout={within:.0f}s"]
        done = subprocess.run(
            words, env=os.environ | settings, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise HelmError(f"helm {command}: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def revision(self) -> int:
        """The newest, counted by Helm from 1."""
        return int(json.loads(self.helm("history", NAME, "--max=1", "-o=json"))[-1]["revision"])

    def pods(self, *selectors: str) -> dict[str, dict[str, Any]]:
        """Name → pod of the dispatcher, those of jobs left out."""
        wanted = ",".join(["app.kubernetes.io/name=survey-dispatcher", *selectors])
        found = self.cluster.items("pods", f"--namespace={NAMESPACE}", f"--selector={wanted}")
        return {pod["metadata"]["name"]: pod for pod in found}

    def ready(self) -> list[str]:
        """Names of pods that are ready, and not on their way out."""
        return sorted(name for name, pod in self.pods().items() if is_ready(pod))

    def wait_ready(self, count: int) -> None:
        """Until so many pods are there, and all are ready."""
        wait_for(f"{count} pods ready", lambda: self._all_ready(count))

    def _all_ready(self, count: int) -> bool:
        return len(self.ready()) == len(self.pods()) == count

    def identities(self) -> dict[str, str]:
        """Name → uid: a pod that is made again has another one."""
        return {name: pod["metadata"]["uid"] for name, pod in self.pods().items()}

    def metrics(self, pod: dict[str, Any]) -> Metrics:
        """A scrape of a pod at its own address."""
        return Metrics(local_http.get(f"http://{pod['status']['podIP']}:9464/metrics").text)

    def logs(self, pod: str) -> list[dict[str, Any]]:
        """The lines of a pod's log."""
        text = self.cluster.kubectl("logs", pod, f"--namespace={NAMESPACE}")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def _values(self, config: dict[str, Any]) -> list[str]:
        kafka, vendor = self.world.bootstrap.rpartition(":")[2], self.world.vendor_port
        values = {
            "config": json.dumps(config),
            "begin": "earliest",
            "secrets": {"existingSecret": "surveys"},
            # No registry: the images are on the node.
            "image": {"repository": REPOSITORY, "tag": TAG, "pullPolicy": "Never"},
            "networkPolicy": {"kafkaPorts": [int(kafka)], "vendorPorts": [vendor]},
        }
        return [f"--values={self._file('values', values)}"]

    def _file(self, name: str, values: dict[str, Any]) -> Path:
        path = self.world.home / f"{name}.json"
        path.write_text(json.dumps(values))
        return path


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether the kubelet says so, and the pod is not being deleted."""
    conditions = pod["status"].get("conditions", ())
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]
