"""Kafka's own MirrorMaker 2 as a process: topics of one cluster, under their names, on another.

A mirror's records keep key, value, headers and timestamp, and their order within a partition. They
have other offsets, other topic ids, no transactions, and no relation between topics: each is as far
behind as its own task.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.support.kafka import CACHE, java, kafka_jars

PROPERTIES = """
clusters = source, target
source.bootstrap.servers = {source}
target.bootstrap.servers = {target}
source->target.enabled = true
source->target.topics = {topics}
target->source.enabled = false
replication.policy.class = org.apache.kafka.connect.mirror.IdentityReplicationPolicy
# Without it a mirror has what the program aborted, too.
source.consumer.isolation.level = read_committed
refresh.topics.interval.seconds = 5
emit.heartbeats.enabled = false
emit.checkpoints.enabled = false
sync.group.offsets.enabled = false
sync.topic.acls.enabled = false
tasks.max = 4
replication.factor = 1
offset-syncs.topic.replication.factor = 1
config.storage.replication.factor = 1
offset.storage.replication.factor = 1
status.storage.replication.factor = 1
offset.flush.interval.ms = 1000
"""


class MirrorMaker:
    """MirrorMaker from one cluster to another; a context manager. Its log is in `home`."""

    def __init__(self, home: Path, source: str, target: str, topics: Sequence[str]) -> None:
        home.mkdir(parents=True)
        self.log = home / "mirror.log"
        file = home / "mirror.properties"
        file.write_text(PROPERTIES.format(source=source, target=target, topics=",".join(topics)))
        jars = kafka_jars(CACHE.parent / "mirror", "make mirror")
        name = "org.apache.kafka.connect.mirror.MirrorMaker"
        tether = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(
                [*tether, *java(name, str(file), jars=jars)],
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def freeze(self) -> None:
        """Stop mirroring without an end, as a slow line between the regions does."""
        self._process.send_signal(signal.SIGSTOP)

    def close(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
