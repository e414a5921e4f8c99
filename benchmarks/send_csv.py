"""`send-csv` of a long file: time, memory, kill -9, second upload: `python -m benchmarks.send_csv`.

Each command runs as a process of its own. The first is killed (-9) once a third of the rows stands
on the topic, the next one sends the rest, the one after it nothing, the last a corrected row. Rows
are of distinct customers in windows-1254, one in a thousand without a usable phone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from benchmarks.programs import ProcessTree, looking
from tests.support.dispatcher import LiveWorld, command
from tests.support.kafka import broker_factory, unique

MAPPED = ("--column", "Telefon=customer.phone", "--column", "Müşteri=customer.name")
BAD_EVERY = 1_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a JSON line for each command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    given = parser.parse_args(arguments)
    os.environ["ADMIN_PORT"] = "0"
    with (
        tempfile.TemporaryDirectory() as folder,
        broker_factory(Path(folder)) as start,
        LiveWorld(start().bootstrap, Path(folder)) as world,
    ):
        config = world.configure()
        world.create_topics(config)
        file = Path(folder) / "customers.csv"
        write(file, given.rows)

        def run(name: str, until: Callable[[], bool] | None = None) -> None:
            told = measured(config, file, until)
            told["on_the_topic"] = committed(world)
            print(json.dumps({"run": name, **told}), flush=True)

        run("killed", lambda: end_of(world) > given.rows / 3)
        run("the rest")
        run("again")
        write(file, given.rows, mended=True)
        run("one row corrected")


def write(file: Path, number: int, *, mended: bool = False) -> None:
    """Write the file; `mended`: the first bad row has its phone."""
    with file.open("w", encoding="windows-1254", newline="") as text:
        text.write("Müşteri;Telefon;Mağaza;Tutar\r\n")
        for at in range(number):
            bad = at % BAD_EVERY == BAD_EVERY - 1 and not (mended and at == BAD_EVERY - 1)
            phone = "yok" if bad else f"0532 {at:07d}"
            text.write(f"Ayşe Yılmaz {at};{phone};{at % 40};{at % 997},90\r\n")


def measured(config: Path, file: Path, until: Callable[[], bool] | None) -> dict[str, Any]:
    """Run the command, to its end or until it is killed."""
    began = time.monotonic()
    asked = "send-csv", str(file), "--config", str(config)
    said = subprocess.Popen(
        command(*asked, "--route", "store", *MAPPED, "--yes"),
        stdout=subprocess.DEVNULL,
    )
    tree = ProcessTree(said.pid)
    with looking(tree.memory):
        if until is not None:
            while not until():
                assert said.poll() is None, "it ended before it was killed"
                time.sleep(0.05)
            said.kill()
        _, status, usage = os.wait4(said.pid, 0)
    return {
        "exit_code": os.waitstatus_to_exitcode(status),
        "seconds": round(time.monotonic() - began, 1),
        "cpu": round(usage.ru_utime + usage.ru_stime, 1),
        "megabytes": round(tree.peak()),
    }


def end_of(world: LiveWorld) -> int:
    """Return the end of the uploads topic."""
    settings = {"bootstrap.servers": world.bootstrap, "group.id": unique("look")}
    with Consumer(settings) as client:
        place = TopicPartition(f"{world.name}.uploads", 0)
        return int(client.get_watermark_offsets(place, timeout=60)[1])


def committed(world: LiveWorld) -> int:
    """Return the number of committed rows, each of which stands there once."""
    settings = {
        "bootstrap.servers": world.bootstrap,
        "group.id": unique("look"),
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
    }
    rows, read = set[bytes](), 0
    with Consumer(settings) as client:
        client.assign([TopicPartition(f"{world.name}.uploads", 0, 0)])
        while True:
            for message in client.consume(5_000, 1.0):
                if message.error() is not None:
                    assert read == len(rows), f"{read - len(rows)} rows stand there twice"
                    return read
                rows.add(message.key() or b"")
                read += 1


if __name__ == "__main__":
    main()
