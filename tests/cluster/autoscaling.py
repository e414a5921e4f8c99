"""metrics-server as a process of this machine, joined to the API server as an extension."""

from __future__ import annotations

from typing import Any

from tests.cluster.node import Cluster, wait_for
from tests.cluster.settings import GATEWAY
from tests.support.kafka import free_ports
from tests.support.tools import METRICS_SERVER

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
SERVICE = {"name": "metrics-server", "namespace": "kube-system"}


def start_metrics(cluster: Cluster) -> None:
    """Start it and wait until the API server answers for it. Raises TimeoutError."""
    (port,) = free_ports(1)
    access = cluster.settings.kubeconfig
    cluster.processes.start(
        "metrics-server",
        *(METRICS_SERVER.binary, f"--bind-address={GATEWAY}", f"--secure-port={port}"),
        *(f"--kubeconfig={access}", f"--authentication-kubeconfig={access}"),
        f"--authorization-kubeconfig={access}",
        f"--cert-dir={cluster.settings.home / 'metrics'}",
        *("--kubelet-insecure-tls", "--kubelet-preferred-address-types=InternalIP"),
        *("--kubelet-use-node-status-port", "--metric-resolution=15s"),
    )
    cluster.apply(*_extension(port))
    name = f"apiservice/{VERSION}.{GROUP}"
    wait_for("metrics are an API", lambda: cluster.condition(name, "Available"))


def _extension(port: int) -> list[dict[str, Any]]:
    """The service without pods behind it: kube-proxy is not there, the API server needs none."""
    labels = {"kubernetes.io/service-name": SERVICE["name"]}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": SERVICE,
            "spec": {"ports": [{"name": "https", "port": 443, "targetPort": port}]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": SERVICE | {"labels": labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [GATEWAY], "conditions": {"ready": True}}],
            "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": f"{VERSION}.{GROUP}"},
            "spec": {
                "group": GROUP,
                "version": VERSION,
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,
                "service": SERVICE | {"port": 443},
            },
        },
    ]
