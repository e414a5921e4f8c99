"""A cluster of one node on this machine: control plane, kubelet and containerd as processes.

Not there: kube-proxy, an enforcer of network policies. Pods reach this machine at `GATEWAY`, which
is their resolver, and are reached at their addresses.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from tests.cluster.processes import Processes, sweep
from tests.cluster.programs import BIN
from tests.cluster.settings import BRIDGE, GATEWAY, NODE, PODS, Settings

PATIENCE = 300.0
"""Seconds for what a quiet machine does in some ten."""


LOOKS = 0.5
"""Seconds between two looks: each is a kubectl, which two busy cores feel."""


def wait_for(what: str, condition: Callable[[], bool], within: float = PATIENCE) -> None:
    """Look until it is so. Raises TimeoutError naming `what`."""
    patience = Retrying(
        retry=retry_if_result(lambda met: not met),
        stop=stop_after_delay(within),
        wait=wait_fixed(LOOKS),
    )
    try:
        patience(condition)
    except RetryError:
        raise TimeoutError(f"not within {within:.0f} s: {what}") from None


class KubectlError(Exception):
    """kubectl refused, or could not; the message is its own."""


class Cluster:
    """A running cluster. `settings` has its ports and files, `processes` what runs of it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.processes = Processes(settings.home)

    def up(self, images: list[Path]) -> None:
        """Start all, with these images on the node. Raises TimeoutError, RuntimeError."""
        self.settings.write()
        _add_bridge()
        self._start_control_plane()
        self._start_runtime(images)
        self._start_kubelet()
        self._until("the node is ready", lambda: self.condition(f"node/{NODE}", "Ready"))
        self._until("service accounts", lambda: self.exists("serviceaccount/default"))

    def down(self) -> None:
        """Delete the pods, so that the network is told, and end all; nothing is left."""
        with suppress(KubectlError, TimeoutError):
            kinds = "cronjobs,jobs,statefulsets,deployments,pods"
            self.kubectl("delete", kinds, "--all", "-A", "--wait=false", "--grace-period=1")
            wait_for("no pods", lambda: not self.items("pods", "-A"), within=60)
        self.processes.stop()
        sweep(self.settings.home)
        subprocess.run(["ip", "link", "delete", BRIDGE], capture_output=True, check=False)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Raises KubectlError."""
        command = [str(BIN / "kubectl"), f"--kubeconfig={self.settings.kubeconfig}", *arguments]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        if done.returncode:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def kill_container(self, identity: str) -> None:
        """SIGKILL to all processes of a container."""
        done = self._ctr("tasks", "kill", "--all", "--signal=SIGKILL", identity)
        assert done, f"no container {identity}"

    def get(self, what: str, *arguments: str) -> dict[str, Any]:
        """One object. Raises KubectlError where there is none."""
        found: dict[str, Any] = json.loads(self.kubectl("get", what, "-o=json", *arguments))
        return found

    def items(self, kind: str, *arguments: str) -> list[dict[str, Any]]:
        """All objects of a kind."""
        return list(self.get(kind, *arguments)["items"])

    def exists(self, what: str, *arguments: str) -> bool:
        """Whether there is such an object, and the server answers."""
        try:
            self.get(what, *arguments)
        except KubectlError:
            return False
        return True

    def condition(self, what: str, name: str, *arguments: str) -> bool:
        """Whether a condition of an object is true; false where there is no such object."""
        try:
            found = self.get(what, *arguments).get("status", {}).get("conditions", ())
        except KubectlError:
            return False
        return any(each["type"] == name and each["status"] == "True" for each in found)

    def apply(self, *documents: dict[str, Any]) -> None:
        """Apply by the server. Raises KubectlError with what it refuses."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        self.kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(listed))

    def _until(self, what: str, condition: Callable[[], bool]) -> None:
        def met() -> bool:
            self.processes.check()
            return condition()

        wait_for(what, met)

    def _start_control_plane(self) -> None:
        home, ports = self.settings.home, self.settings.ports
        etcd = f"http://127.0.0.1:{ports['etcd']}"
        peers = f"http://127.0.0.1:{ports['etcd-peers']}"
        self.processes.start(
            "etcd",
            *(BIN / "etcd", f"--data-dir={home / 'etcd'}", "--unsafe-no-fsync"),
            *(f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}"),
            *(f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}"),
            f"--initial-cluster=default={peers}",
        )
        self.processes.start("apiserver", BIN / "kube-apiserver", *self._api_flags(etcd))
        self._until("the API server is ready", lambda: self._answers("/readyz"))
        access = f"--kubeconfig={self.settings.kubeconfig}"
        alone = ("--leader-elect=false", "--bind-address=127.0.0.1")
        self.processes.start(
            "controller-manager",
            *(BIN / "kube-controller-manager", access, *alone),
            f"--secure-port={ports['controller-manager']}",
            f"--service-account-private-key-file={home / 'service-accounts.key'}",
            *("--allocate-node-cidrs=true", f"--cluster-cidr={PODS}", "--node-cidr-mask-size=24"),
            # By default the autoscaler looks every 15 s, and trusts a pod's CPU after 5 minutes.
            "--horizontal-pod-autoscaler-sync-period=5s",
            "--horizontal-pod-autoscaler-cpu-initialization-period=10s",
            "--horizontal-pod-autoscaler-initial-readiness-delay=5s",
        )
        port = f"--secure-port={ports['scheduler']}"
        self.processes.start("scheduler", BIN / "kube-scheduler", access, *alone, port)
        self.processes.start("coredns", BIN / "coredns", f"-conf={home / 'Corefile'}")

    def _api_flags(self, etcd: str) -> list[str]:
        home, ports = self.settings.home, self.settings.ports
        return [
            *(f"--etcd-servers={etcd}", f"--secure-port={ports['apiserver']}"),
            *("--bind-address=127.0.0.1", f"--advertise-address={GATEWAY}"),
            *(f"--cert-dir={home / 'api'}", f"--token-auth-file={home / 'tokens.csv'}"),
            *("--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/16"),
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={home / 'service-accounts.key'}",
            f"--service-account-key-file={home / 'service-accounts.key'}",
            "--kubelet-preferred-address-types=InternalIP",
            # Extensions of the API, such as that of metrics, without kube-proxy.
            f"--requestheader-client-ca-file={home / 'proxy-ca.pem'}",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={home / 'proxy.pem'}",
            f"--proxy-client-key-file={home / 'proxy.key'}",
            "--enable-aggregator-routing=true",
        ]

    def _start_runtime(self, images: list[Path]) -> None:
        config = f"--config={self.settings.home / 'containerd.toml'}"
        self.processes.start("containerd", "containerd", config)
        self._until("containerd answers", lambda: self._ctr("version"))
        for archive in images:
            assert self._ctr("images", "import", str(archive)), f"no image in {archive}"

    def _ctr(self, *arguments: str) -> bool:
        """Whether containerd has done it."""
        command = ["ctr", f"--address={self.settings.socket}", "--namespace=k8s.io", *arguments]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _start_kubelet(self) -> None:
        home = self.settings.home
        self.processes.start(
            "kubelet",
            *(BIN / "kubelet", f"--config={home / 'kubelet.yaml'}"),
            *(f"--kubeconfig={self.settings.kubeconfig}", f"--root-dir={home / 'kubelet'}"),
            *(f"--hostname-override={NODE}", f"--node-ip={GATEWAY}"),
        )

    def _answers(self, path: str) -> bool:
        try:
            self.kubectl("get", f"--raw={path}")
        except KubectlError:
            return False
        return True


def _add_bridge() -> None:
    """The pods' bridge before the first pod, so that Kafka and the vendor can listen on it."""
    for words in (
        ("link", "add", BRIDGE, "type", "bridge"),
        ("address", "add", f"{GATEWAY}/24", "dev", BRIDGE),
        ("link", "set", BRIDGE, "up"),
    ):
        subprocess.run(["ip", *words], capture_output=True, check=True)


@contextmanager
def running(home: Path, images: list[Path]) -> Iterator[Cluster]:
    """A cluster in `home`; what an earlier one has left there is ended first."""
    sweep(home)
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run(["ip", "link", "delete", BRIDGE], capture_output=True, check=False)
    cluster = Cluster(Settings(home))
    try:
        cluster.up(images)
        yield cluster
    finally:
        cluster.down()
