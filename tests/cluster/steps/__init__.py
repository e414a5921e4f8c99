"""The steps of the check, in their order."""

from __future__ import annotations

from tests.cluster.check import Step
from tests.cluster.steps import applying, changes, disruptions, life, roles, uploads

STEPS = (
    Step("install", life.install),
    Step("main job", life.work),
    Step("helm test", life.test_release),
    Step("all manifests", applying.apply_all),
    Step("another image", changes.upgrade_image),
    Step("config change", changes.change_config),
    Step("secret rotation", changes.rotate_secret),
    Step("wrong config", changes.refuse_config),
    Step("rollback", changes.roll_back),
    Step("missing image", changes.miss_image),
    Step("forced deletion", disruptions.delete_by_force, in_doubt=True),
    Step("killed containers", disruptions.kill_containers, in_doubt=True),
    Step("drain", disruptions.drain),
    Step("scaling", disruptions.scale),
    Step("CSV by the clock", uploads.send_csv),
    Step("roles split", roles.split),
    Step("autoscaling", roles.autoscale),
    Step("uninstall, install", life.install_again),
    Step("uninstall", life.uninstall, load=False),
)
