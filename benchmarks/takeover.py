"""How long a lane has no owner: `python -m benchmarks.takeover`.

Ways of membership × brokers × what befalls the owner, on a real Apache Kafka. Two small processes
hold memberships in many groups, a lane each (one topic, one partition), and say when they were
assigned and what they lost. All ways are measured in the same event: a kill takes all lanes of a
process, as it does in the program. The groups are joined at random moments, so that heartbeats are
not in step with the event or with each other.

`benchmarks.takeover_program` has the whole program instead of the small processes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient

from benchmarks.takeover_groups import BROKERS, EVENTS, WAYS
from benchmarks.takeover_round import Round
from tests.support.kafka import KafkaBroker, broker_factory, create_topics


def measure(
    broker: KafkaBroker, home: Path, name: str, lanes: int, patience: float
) -> list[dict[str, Any]]:
    """One event, in groups of its own: a row for each way of membership."""
    groups = {
        f"{name}.{way.name}.{lane}".replace(" ", ""): (f"lane-{lane}", way)
        for way in WAYS
        for lane in range(lanes)
    }
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    with ExitStack() as ends:
        return Round(broker, admin, home, groups, patience, ends).run(EVENTS[name])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one JSON object for each broker, event and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brokers", nargs="*", choices=BROKERS, default=list(BROKERS))
    parser.add_argument("--events", nargs="*", choices=EVENTS, default=list(EVENTS))
    parser.add_argument("--lanes", type=int, default=6, help="samples of each figure")
    parser.add_argument("--patience", type=float, default=100.0, help="seconds until `never`")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, broker_factory(Path(folder)) as start:
        for settings in given.brokers:
            broker = start(BROKERS[settings])
            create_topics(broker.bootstrap, *(f"lane-{lane}" for lane in range(given.lanes)))
            for name in given.events:
                for row in measure(broker, Path(folder), name, given.lanes, given.patience):
                    print(json.dumps({"broker": settings, "event": name, **row}), flush=True)
            broker.close()


if __name__ == "__main__":
    main()
