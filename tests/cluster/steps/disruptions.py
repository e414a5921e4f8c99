"""Pods go, by force or by an eviction, and come back."""

from __future__ import annotations

import pytest

from tests.cluster.check import Scene
from tests.cluster.node import PATIENCE, KubectlError, wait_for
from tests.cluster.release import NAMESPACE, WORKLOAD
from tests.cluster.settings import NODE


def delete_by_force(scene: Scene) -> str:
    """Both pods, one after the other: the API forgets a pod at once, and the next has its name."""
    for name, uid in scene.release.identities().items():
        force = ("--grace-period=0", "--force")
        scene.cluster.kubectl("delete", "pod", name, f"--namespace={NAMESPACE}", *force)
        wait_for(
            f"{name} is another",
            lambda name=name, uid=uid: scene.release.identities().get(name, uid) != uid,  # type: ignore[misc]
        )
        scene.release.wait_ready(2)
    return "2 pods, one after the other"


def kill_containers(scene: Scene) -> str:
    """SIGKILL to each dispatcher in turn, as the kernel does where memory is short: the kubelet
    starts the container again in its pod."""
    for name, pod in scene.release.pods().items():
        (status,) = pod["status"]["containerStatuses"]
        calls = scene.world.calls()
        wait_for("calls go out", lambda calls=calls: scene.world.calls() > calls)  # type: ignore[misc]
        scene.cluster.kill_container(status["containerID"].removeprefix("containerd://"))
        wait_for(
            f"{name} is restarted",
            lambda name=name, count=status["restartCount"]: _restarts(scene, name) > count,  # type: ignore[misc]
        )
        scene.release.wait_ready(2)
    return "2 dispatchers, one after the other; each started again in its pod"


def _restarts(scene: Scene, name: str) -> int:
    (status,) = scene.release.pods()[name]["status"]["containerStatuses"]
    return int(status["restartCount"])


def drain(scene: Scene) -> str:
    """The only node: the budget lets one pod go, which finds no place, and holds the other."""
    pods = scene.release.identities()
    with pytest.raises(KubectlError, match=r"timed out|timeout|deadline"):
        scene.cluster.kubectl("drain", NODE, "--timeout=15s", "--delete-emptydir-data")
    kept = [name for name, uid in scene.release.identities().items() if pods[name] == uid]
    assert len(kept) == 1, kept
    assert scene.release.ready() == kept
    scene.cluster.kubectl("uncordon", NODE)
    scene.release.wait_ready(2)
    return "the budget holds 1 of 2 pods; after uncordon 2 of 2"


def scale(scene: Scene) -> str:
    """1 → 3 → 1, then as the chart says."""
    for count in (1, 3, 1, 2):
        workload = f"statefulset/{WORKLOAD}"
        scene.cluster.kubectl("scale", workload, f"--replicas={count}", f"--namespace={NAMESPACE}")
        scene.release.wait_ready(count)
        scene.world.crowd(200)
        scene.world.wait_results(len(scene.world.events), PATIENCE)
    return "1 → 3 → 1 → 2, 200 customers a campaign at each"
