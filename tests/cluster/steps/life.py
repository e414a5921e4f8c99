"""A release begins, works and ends."""

from __future__ import annotations

import re

from tests.cluster.check import Scene
from tests.cluster.node import PATIENCE, wait_for
from tests.cluster.release import NAME, NAMESPACE

CROWD = 2_000


def install(scene: Scene) -> str:
    """With the chart's own values; its job makes the topics first."""
    scene.release.prepare()
    scene.release.install()
    ready = scene.release.ready()
    assert len(ready) == 2, ready
    return f"{len(ready)} of 2 pods ready, under the restricted profile"


def work(scene: Scene) -> str:
    """A crowd at once, beside the steady load."""
    scene.world.crowd(CROWD)
    scene.world.wait_results(len(scene.world.events), PATIENCE)
    return f"{CROWD:,} customers at once in each of {len(scene.world.channels)} campaigns"


def test_release(scene: Scene) -> str:
    """The chart's own test, as an operator runs it."""
    told = scene.release.helm("test", NAME, "--logs")
    phases = re.findall(r"^Phase:\s+(\w+)$", told, re.MULTILINE)
    assert phases, f"the chart has no test:\n{told}"
    assert set(phases) == {"Succeeded"}, told
    return f"{len(phases)} of {len(phases)} succeeded"


def install_again(scene: Scene) -> str:
    """Uninstalled and installed under load: what came in between waits on Kafka."""
    uninstall(scene)
    scene.world.crowd(100)
    scene.release.install()
    assert len(scene.release.ready()) == 2
    return "what came in between was sent"


def uninstall(scene: Scene) -> str:
    """Pods end in order; nothing of the release stays but the topics on Kafka."""
    scene.release.helm("uninstall", NAME, "--wait")
    wait_for("pods are gone", lambda: not scene.release.pods())
    kinds = "all,configmaps,networkpolicies,poddisruptionbudgets,serviceaccounts,cronjobs"
    label = f"--selector=app.kubernetes.io/instance={NAME}"
    left = scene.cluster.items(kinds, f"--namespace={NAMESPACE}", label)
    assert not left, [each["metadata"]["name"] for each in left]
    return "nothing left but the topics"
