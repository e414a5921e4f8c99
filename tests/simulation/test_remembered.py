"""What Kafka remembers keeps its name: else an upgrade in place begins with nothing."""

from __future__ import annotations

import json
from pathlib import Path

from tests.simulation.remembered import remembered
from tests.simulation.world import rules
from tests.simulation.world.world import FleetWorld

SAMPLE = Path(__file__).parents[1] / "samples" / "258f27a" / "remembered.json"
SEEDS = 80


def test_every_name_that_258f27a_left_on_kafka_is_used_still() -> None:
    """Topics, groups and their offsets, transactional ids, keys, headers, fields of records: those
    that an invitation's result repeats stand in `result` since version 2, which 258f27a delays."""
    former = json.loads(SAMPLE.read_text())
    missing = {(kind, name) for kind, names in former.items() for name in names}
    for seed in range(SEEDS):
        found = remembered(FleetWorld(seed).run().broker, rules.APPLICATION)
        missing -= {
            (kind, name.replace(": result.", ": "))
            for kind, names in found.items()
            for name in names
        }
        if not missing:
            break
    assert not missing
