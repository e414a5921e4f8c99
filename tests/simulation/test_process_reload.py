"""A simulated process that is asked for a reload before the former one is over."""

from __future__ import annotations

import pytest

from tests.simulation.world.world import FleetWorld

LONGEST_RELOAD = 5.0


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("seed", range(10))
def test_the_newest_config_is_in_use_after_overlapping_reloads(seed: int, *, frozen: bool) -> None:
    """Whichever task runs first when the process thaws, and however long each reload takes."""
    world = FleetWorld(seed)
    scheduler = world.scheduler
    scheduler._plan.clear()  # no traffic, no faults
    world.mischief.calm_from = began = scheduler.now
    world._start("0")
    process, newest = world._running["0"], world._setup_of(None)
    if frozen:
        scheduler.freeze(process.name, until=began + 10.0)
    process.follow(world._setup_of("campaign_gone"))
    scheduler.at(began + 0.1, lambda: process.follow(newest))
    scheduler.at(began + 10.0 + 3 * LONGEST_RELOAD, scheduler.stop)
    world.run()
    in_use = process.stage.config
    assert in_use.version == newest.config.config_version
    assert in_use.homes == newest.config.homes
    assert process._router.follows(newest.router)
    assert {name: lane.settings for name, lane in process._lanes.items()} == newest.lanes
