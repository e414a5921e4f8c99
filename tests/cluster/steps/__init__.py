"""The steps of the check, in their order."""

from __future__ import annotations

from tests.cluster.check import Step
from tests.cluster.steps import changes, disruptions, life

STEPS = (
    Step("install", life.install),
    Step("main job", life.work),
    Step("another image", changes.upgrade_image),
    Step("config change", changes.change_config),
    Step("secret rotation", changes.rotate_secret),
    Step("wrong config", changes.refuse_config),
    Step("rollback", changes.roll_back),
    Step("missing image", changes.miss_image),
    Step("forced deletion", disruptions.delete_by_force, in_doubt=True),
    Step("drain", disruptions.drain),
    Step("scaling", disruptions.scale),
    Step("uninstall", life.uninstall, load=False),
)
