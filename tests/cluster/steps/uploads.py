"""A CSV file that a CronJob of the chart sends by the clock."""

from __future__ import annotations

from typing import Any

import orjson

from tests.cluster.check import Scene
from tests.cluster.node import wait_for
from tests.cluster.release import NAMESPACE
from tests.support.dispatcher import SMS, Event
from tests.support.kafka import read_topic

ROWS = 1_000
COLUMNS = ("--column=Telefon=customer.phone", "--column=Müşteri=customer.name")


def send_csv(scene: Scene) -> str:
    """Each minute the same file: the first run sends its rows, the second none."""
    scene.cluster.apply(_customers([next(scene.world.numbers) for _ in range(ROWS)]))
    job = {"name": "list", "schedule": "* * * * *", "timezone": "Europe/Istanbul"}
    job |= {"file": "customers.csv", "route": "store"}
    volume = {"configMap": {"name": "customers"}}
    scene.release.upgrade({"csvJobs": [{**job, "args": [*COLUMNS], "volume": volume}]})
    wait_for("two runs by the clock", lambda: _succeeded(scene) >= 2)
    scene.release.upgrade({"csvJobs": []})
    uploaded = _uploaded(scene)
    assert len(uploaded) == ROWS
    scene.world.events.extend(uploaded)
    return f"{ROWS:,} rows by the first run of the clock, 0 by the second"


def _customers(numbers: list[int]) -> dict[str, Any]:
    """The file in a ConfigMap, as Excel saves it."""
    lines = ["Müşteri;Telefon", *(f"Müşteri {each};0532 {each:07d}" for each in numbers)]
    metadata = {"name": "customers", "namespace": NAMESPACE}
    content = {"data": {"customers.csv": "\r\n".join([*lines, ""])}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata} | content


def _succeeded(scene: Scene) -> int:
    jobs = scene.cluster.items("jobs", f"--namespace={NAMESPACE}")
    failed = [job["metadata"]["name"] for job in jobs if job["status"].get("failed")]
    assert not failed, failed
    return sum(job["status"].get("succeeded", 0) for job in jobs if _is_of_clock(job))


def _is_of_clock(job: dict[str, Any]) -> bool:
    owners = job["metadata"].get("ownerReferences", ())
    return any(owner["kind"] == "CronJob" for owner in owners)


def _uploaded(scene: Scene) -> list[Event]:
    """The rows on their topic, as events that each need a result."""
    records = read_topic(scene.world.bootstrap, f"{scene.world.name}.uploads")
    bodies = [orjson.loads(record.value() or b"") for record in records]
    return [Event(str(body["id"]), SMS, _phone(body), b"") for body in bodies]


def _phone(body: dict[str, Any]) -> str:
    return "+9" + str(body["event"]["customer"]["phone"]).replace(" ", "")
