"""Routers and senders apart: workloads change under load, and routers grow with their CPU."""

from __future__ import annotations

from tests.cluster.autoscaling import start_metrics
from tests.cluster.check import Scene
from tests.cluster.node import wait_for
from tests.cluster.release import NAMESPACE, WORKLOAD

MOST = 3
BUSY = 200
"""Purchases in each `PACE`: more than a tenth of the CPU that a router asks for."""


def split(scene: Scene) -> str:
    """`mode: split`: the one StatefulSet goes, and two come."""
    scaling = {"enabled": True, "minReplicas": 1, "maxReplicas": MOST}
    scaling["targetCPUUtilizationPercentage"] = 10
    scene.release.upgrade({"mode": "split", "router": {"autoscaling": scaling}})
    scene.release.wait_ready(3)
    return "1 router and 2 senders ready, the former pods are gone"


def autoscale(scene: Scene) -> str:
    """The load grows, metrics-server sees it, and the autoscaler adds routers."""
    start_metrics(scene.cluster)
    usual = scene.world.channels["store"]
    scene.world.channels["store"] = BUSY
    name = f"hpa/{WORKLOAD}-router"
    most: list[int] = []

    def grown() -> bool:
        status = scene.cluster.get(name, f"--namespace={NAMESPACE}")["status"]
        found = [metric.get("resource") for metric in status.get("currentMetrics") or ()]
        most.extend(each["current"].get("averageUtilization", 0) for each in found if each)
        return bool(status.get("currentReplicas") == MOST)

    try:
        wait_for(f"{MOST} routers", grown)
        scene.release.wait_ready(MOST + 2)
    finally:
        scene.world.channels["store"] = usual
    return f"1 → {MOST} routers at up to {max(most)} % of the CPU asked for; 10 % wanted"
