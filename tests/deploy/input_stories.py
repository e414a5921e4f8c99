"""What happens to inputs in the recorded run: one falls silent, one waits for its registry."""

from __future__ import annotations

from tests.deploy.recorded import SILENT, P, Run, grew, rings
from tests.integration.test_reload import Document, change
from tests.integration.test_schemas import ORDER, as_avro, with_avro
from tests.integration.test_stopped_inputs import publish_to
from tests.support.dispatcher import purchases
from tests.support.kafka import free_ports
from tests.support.registry import schema_server, url_of


def lose_inputs(run: Run) -> None:
    """Take inputs into the config whose producer, then whose registry is away."""
    before = run.config.read_text()
    with run.recording.fault("input silent", rings("InputStalled")):
        run.world.create_input(SILENT)
        change(run.config, _with_silent)
    _without_registry(run)
    run.reconfigure(before)


def _with_silent(document: Document) -> None:
    """Read a topic that has no record; what it had a week ago `history` knows."""
    document["inputs"]["silent"] = {"topics": [SILENT], "format": "json"}
    first, *_ = document["routes"]
    document["routes"].append(first | {"name": "silent", "input": "silent"})


def _without_registry(run: Run) -> None:
    """Events come before their registry, which has their schema when it is there."""
    orders, port = f"{run.world.input}-orders", free_ports(1)[0]
    customers = purchases("store", range(500, 520))
    run.world.create_input(orders)
    with run.recording.fault(
        "registry away", f"{P}input_waits_for_schema > 0", rings("RegistryUnreachable")
    ):
        change(run.config, with_avro(orders, url_of(port)))
        publish_to(run.world, orders, 0, [as_avro(event, ORDER, 1) for event in customers])
    with schema_server(port, run.world.home / "registry.log") as server:
        server.register("orders-value", ORDER)
        routed = f'events_total{{topic="{orders}",disposition="routed"}}'
        run.recording.shows("the input goes on", grew(routed))
        run.recording.shows("none waits", f"absent({P}input_waits_for_schema)")
