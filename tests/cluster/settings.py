"""What the programs of the cluster read: keys, tokens, and files of settings below its home.

All that listens is bound to the loopback address, or to the bridge of the pods.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from tests.cluster.images import PAUSE
from tests.cluster.programs import CNI
from tests.support.kafka import free_ports

BRIDGE, GATEWAY, PODS = "surveys0", "10.244.0.1", "10.244.0.0/24"
NODE = "node1"


def _ports() -> dict[str, int]:
    names = ("etcd", "etcd-peers", "apiserver", "controller-manager", "scheduler", "kubelet")
    return dict(zip(names, free_ports(len(names)), strict=True))


@dataclass(frozen=True)
class Settings:
    """Ports and files of one cluster in `home`, which `write` fills."""

    home: Path
    ports: dict[str, int] = field(default_factory=_ports)
    token: str = field(default_factory=secrets.token_hex)

    @property
    def api(self) -> str:
        """Where the API server listens."""
        return f"https://127.0.0.1:{self.ports['apiserver']}"

    @property
    def socket(self) -> Path:
        """Where containerd listens."""
        return self.home / "containerd.sock"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's access: of the control plane, the kubelet, kubectl and Helm."""
        return self.home / "admin.conf"

    def write(self) -> None:
        """Write all files."""
        self.home.mkdir(parents=True)
        (self.home / "cni").mkdir()
        self._keys()
        (self.home / "tokens.csv").write_text(f'{self.token},admin,1,"system:masters"\n')
        for name, document in {
            "admin.conf": self._kubeconfig(),
            "kubelet.yaml": self._kubelet(),
            "cni/10-pods.conflist": self._network(),
        }.items():
            (self.home / name).write_text(json.dumps(document, indent=2))  # JSON is YAML
        (self.home / "containerd.toml").write_text(self._containerd())
        (self.home / "Corefile").write_text(self._dns())

    def _keys(self) -> None:
        """The key of service accounts' tokens; the API server's certificate for its extensions."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.home / "proxy-ca.pem")
        for name in ("service-accounts", "proxy"):
            issued = authority.issue_cert(f"{name}.example.com", common_name=name)
            issued.private_key_pem.write_to_path(self.home / f"{name}.key")
            issued.cert_chain_pems[0].write_to_path(self.home / f"{name}.pem")

    def _kubeconfig(self) -> dict[str, Any]:
        cluster = {"server": self.api, "insecure-skip-tls-verify": True}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "checked", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": self.token}}],
            "contexts": [{"name": "checked", "context": {"cluster": "checked", "user": "admin"}}],
            "current-context": "checked",
        }

    def _kubelet(self) -> dict[str, Any]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": GATEWAY,
            "port": self.ports["kubelet"],
            "healthzPort": 0,
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "failSwapOn": False,
            "failCgroupV1": False,
            "containerRuntimeEndpoint": f"unix://{self.socket}",
            "evictionHard": {},
            "localStorageCapacityIsolation": False,
            "makeIPTablesUtilChains": False,
            "clusterDNS": [GATEWAY],
            "clusterDomain": "cluster.local",
            "podLogsDir": str(self.home / "logs"),
            "volumePluginDir": str(self.home / "volume-plugins"),
            # How often a changed ConfigMap reaches a pod; by default within a minute or two.
            "syncFrequency": "10s",
        }

    def _network(self) -> dict[str, Any]:
        addresses = {
            "type": "host-local",
            "dataDir": str(self.home / "addresses"),
            "ranges": [[{"subnet": PODS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        }
        bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "ipMasq": True}
        return {"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge | {"ipam": addresses}]}

    def _containerd(self) -> str:
        # restrict_oom_score_adj: where root lacks CAP_SYS_RESOURCE, runc cannot start a container.
        return f"""version = 2
root = "{self.home}/containerd-root"
state = "{self.home}/containerd-state"
[grpc]
  address = "{self.socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI}"
    conf_dir = "{self.home}/cni"
"""

    def _dns(self) -> str:
        return f""".:53 {{
    bind {GATEWAY}
    errors
    kubernetes cluster.local {{
        kubeconfig {self.kubeconfig}
    }}
    forward . /etc/resolv.conf
}}
"""
