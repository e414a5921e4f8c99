"""Everything that the chart can render is applied by the server, with the operators' own kinds."""

from __future__ import annotations

import json
from collections import Counter

from tests.cluster.check import Scene
from tests.cluster.manifests import crds
from tests.deploy.chart import VALUE_SETS, render

# What value sets name and an operator has made before.
PRIORITY = {
    "apiVersion": "scheduling.k8s.io/v1",
    "kind": "PriorityClass",
    "metadata": {"name": "business-critical"},
    "value": 1000,
}


def apply_all(scene: Scene) -> str:
    """All value sets of `deploy/chart/ci`, validated strictly; hooks and tests too."""
    scene.cluster.kubectl("apply", "--server-side", "--force-conflicts", f"--filename={crds()}")
    scene.cluster.kubectl("wait", "--for=condition=Established", "crds", "--all", "--timeout=300s")
    found = scene.cluster.items("crds")
    scene.cluster.apply(PRIORITY)
    kinds: Counter[str] = Counter()
    for value_set in VALUE_SETS:
        rendered = render(value_set, minor="1.34")
        assert rendered.manifests, rendered.refused
        kinds.update(manifest["kind"] for manifest in rendered.manifests)
        listed = {"apiVersion": "v1", "kind": "List", "items": list(rendered.manifests)}
        dry = ("--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts")
        scene.cluster.kubectl("apply", *dry, "--filename=-", stdin=json.dumps(listed))
    return f"{kinds.total()} objects of {len(kinds)} kinds, with {len(found)} CRDs of operators"
