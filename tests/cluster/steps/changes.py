"""Upgrades: of the image, the config and the Secret, and those that must change nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.check import Scene
from tests.cluster.images import NEXT_TAG, TAG
from tests.cluster.node import PATIENCE, wait_for
from tests.cluster.release import NAME, NAMESPACE, WORKLOAD, HelmError
from tests.support import local_http

ROTATED = "sandbox-token-rotated"


def upgrade_image(scene: Scene) -> str:
    """Pods are replaced one by one."""
    before = images(scene)
    scene.release.upgrade({"image": {"tag": NEXT_TAG}})
    scene.release.wait_ready(2)
    assert images(scene).isdisjoint(before), before
    return "2 of 2 pods have the other image's id"


def change_config(scene: Scene) -> str:
    """A route is added; the pods take it up as they are, and its purchases are sent."""
    pods, world = scene.release.identities(), scene.world
    world.channels["web"] = 0
    scene.release.configure(world.document())
    wait_for("all pods have applied it", lambda: _logged(scene, "config_applied"))
    world.channels["web"] = 10
    assert scene.release.identities() == pods
    world.crowd(100)
    world.wait_results(len(world.events), PATIENCE)
    return "a new route, without a restart"


def rotate_secret(scene: Scene) -> str:
    """The vendor takes the new token alone, before the pods have it: nothing is lost meanwhile."""
    pods, url = scene.release.identities(), f"{scene.world.vendor_url}/_sandbox/account"
    local_http.post(url, json={"pisano_token": ROTATED}).raise_for_status()
    scene.world.crowd(100)
    scene.release.write_secret({"pisano-token": ROTATED})
    scene.world.wait_results(len(scene.world.events), PATIENCE)
    refused = scene.world.vendor()["by_status"].get("401", 0)
    assert refused, "no call met the vendor with the former token"
    assert scene.release.identities() == pods
    return f"{refused} calls refused with the former token, then sent with the new one"


def refuse_config(scene: Scene) -> str:
    """A campaign that does not exist: the job refuses it, and nothing is changed."""
    pods, config = scene.release.identities(), _config(scene)
    document = scene.world.document()
    document["routes"][0]["send"] = ["no-such-campaign"]
    with pytest.raises(HelmError, match="pre-upgrade hooks failed"):
        scene.release.configure(document)
    job = f"job/{WORKLOAD}-topics"
    log = scene.cluster.kubectl("logs", job, f"--namespace={NAMESPACE}")
    assert "no-such-campaign" in log, log[-1000:]
    assert (scene.release.identities(), _config(scene)) == (pods, config)
    return "the job names the campaign; pods and ConfigMap untouched"


def roll_back(scene: Scene) -> str:
    """To the first revision: its image and its config."""
    scene.world.channels.pop("web")
    scene.release.helm("rollback", NAME, "1", "--wait")
    scene.release.wait_ready(2)
    found = {pod["spec"]["containers"][0]["image"] for pod in scene.release.pods().values()}
    assert all(image.endswith(f":{TAG}") for image in found), found
    return "to revision 1: image and config of the install"


def miss_image(scene: Scene) -> str:
    """First the job cannot start; without the job one pod cannot, and the other goes on."""
    pods, good = scene.release.identities(), scene.release.revision()
    with pytest.raises(HelmError, match="pre-upgrade hooks failed"):
        scene.release.upgrade({"image": {"tag": "missing"}}, within=15)
    assert scene.release.identities() == pods
    values = {"image": {"tag": "missing"}, "topics": {"enabled": False}}
    with pytest.raises(HelmError):
        scene.release.upgrade(values, within=20)
    wait_for("a pod lacks its image", lambda: _lacks_image(scene))
    kept = [name for name, uid in scene.release.identities().items() if pods[name] == uid]
    assert scene.release.ready() == kept
    assert len(kept) == 1
    scene.release.helm("rollback", NAME, str(good), "--wait")
    scene.release.wait_ready(2)
    return "the job holds it up; without it 1 of 2 pods goes on, and a rollback heals the other"


def images(scene: Scene) -> set[str]:
    """Ids of the images that the pods run."""
    statuses = [pod["status"]["containerStatuses"] for pod in scene.release.pods().values()]
    return {str(container["imageID"]) for status in statuses for container in status}


def _logged(scene: Scene, event: str) -> bool:
    return all(
        any(line.get("event") == event for line in scene.release.logs(name))
        for name in scene.release.pods()
    )


def _lacks_image(scene: Scene) -> bool:
    statuses = [pod["status"].get("containerStatuses", ()) for pod in scene.release.pods().values()]
    waiting = [each["state"].get("waiting", {}) for status in statuses for each in status]
    return any(each.get("reason") == "ErrImageNeverPull" for each in waiting)


def _config(scene: Scene) -> Any:
    found = scene.cluster.get(f"configmap/{WORKLOAD}-config", f"--namespace={NAMESPACE}")
    return found["metadata"]["resourceVersion"]
