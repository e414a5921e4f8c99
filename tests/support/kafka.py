"""A real Apache Kafka for tests, without Docker: one KRaft node in a Java process.

`make kafka` fetches the jars once into `.cache/kafka/<version>/`. Every broker has its own
directory, its own ports and a `broker.log`, and dies with the process that started it.

`python -m tests.support.kafka` runs one in the foreground for a person to look at.
"""

from __future__ import annotations

import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from string import Template

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

HERE = Path(__file__).parent
CACHE = HERE.parent.parent / ".cache" / "kafka"
CLUSTER_ID = "c3VydmV5LWRpc3BhdA"  # fixed: a random one may begin with "-" and be read as an option
READY_WITHIN = 180.0
"""Seconds a broker may take to answer; about 3 are usual, a busy machine needs more."""

STOP_WITHIN = 30.0
"""Seconds an orderly shutdown may take before it counts as hung."""

PATIENCE = 60.0
"""Seconds after which an answer will not come any more that a quiet machine gives at once."""

JVM_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Small and quick to start: two cores have better things to do than optimise a test's broker."""

PORTS = range(15_000, 32_000)
"""Below the ephemeral range: there, while a broker is down, any client's outgoing connection
could take its port (a reconnecting client can even connect to itself), and it could not restart."""


class BrokerError(Exception):
    """A test's broker cannot do what was asked; the message says what to do."""


class KafkaBroker:
    """One broker of our own: `bootstrap` is its address, `log` what it printed.

    It is formatted when made and runs from `start` to `close`. `settings` are added to
    server.properties, and may name `$port` and `$controller_port` as it does. Call from the main
    thread: the broker dies with the thread that started it.
    """

    def __init__(self, home: Path, settings: Mapping[str, str] | None = None) -> None:
        port, controller_port = free_ports(2)
        self.bootstrap = f"127.0.0.1:{port}"
        self.log = home / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._properties = home / "server.properties"
        home.mkdir(parents=True, exist_ok=True)
        lines = [(HERE / "server.properties").read_text()]
        lines += [f"{name}={value}\n" for name, value in (settings or {}).items()]
        template = Template("".join(lines))
        self._properties.write_text(
            template.substitute(port=port, controller_port=controller_port, data=home / "data")
        )
        self._format()

    def start(self) -> None:
        """Run the broker and wait until it leads every partition it has."""
        if self._process is not None:
            raise BrokerError(f"the broker at {self.bootstrap} is running already")
        # If the tests are killed, no fixture ends the broker: then the kernel does (Linux).
        tether = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        command = [*tether, *java("kafka.Kafka", str(self._properties))]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise

    def stop(self) -> None:
        """Shut down in order, as an operator would (SIGTERM), and wait for the end."""
        process = self._running("stop")
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()
            message = f"the broker did not stop within {STOP_WITHIN:.0f} s and was killed"
            raise BrokerError(f"{message}:\n{self._tail()}") from None
        self._process = None

    def kill(self) -> None:
        """End the broker with SIGKILL, as a machine that lost power would."""
        process = self._running("kill")
        process.kill()
        process.wait()
        self._process = None

    def restart(self) -> None:
        """Start again on the same port with the same data, stopping first if it still runs."""
        if self._process is not None:
            self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the broker (SIGSTOP): connections stay open and nothing is answered."""
        self._running("pause").send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused broker go on (SIGCONT)."""
        self._running("resume").send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End the broker however it is; its data is of no more use, so no orderly shutdown."""
        if self._process is not None:
            self.kill()

    def _running(self, action: str) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise BrokerError(f"cannot {action} the broker at {self.bootstrap}: it is not running")
        return self._process

    def _format(self) -> None:
        command = java(
            "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(self._properties)
        )
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BrokerError(f"Kafka's storage tool failed:\n{done.stdout}{done.stderr}")

    def _wait_until_ready(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        patience = Retrying(
            retry=retry_if_exception_type(KafkaException),
            stop=stop_after_delay(READY_WITHIN),
            wait=wait_fixed(0.05),
            reraise=True,
        )
        try:
            patience(self._check_ready, admin)
        except KafkaException as error:
            message = f"no broker at {self.bootstrap} after {READY_WITHIN:.0f} s: {error}"
            raise BrokerError(f"{message}\n{self._tail()}") from error

    def _check_ready(self, admin: AdminClient) -> None:
        status = self._running("await").poll()
        if status is not None:
            raise BrokerError(f"the broker ended with status {status}:\n{self._tail()}")
        found = admin.list_topics(timeout=0.5)
        partitions = [part for topic in found.topics.values() for part in topic.partitions.values()]
        if not found.brokers or any(partition.leader < 0 for partition in partitions):
            raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join([f"{self.log} ends with:", *lines[-20:]])


class BorrowedBroker(KafkaBroker):
    """A broker of the developer, named by `KAFKA_BOOTSTRAP`: used, never stopped or started."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._process = None

    def start(self) -> None:
        """Refused: this broker is not ours."""
        self._running("start")

    def restart(self) -> None:
        """Refused: this broker is not ours."""
        self._running("restart")

    def _running(self, action: str) -> subprocess.Popen[bytes]:
        raise BrokerError(
            f"cannot {action} the broker at {self.bootstrap}: KAFKA_BOOTSTRAP names it, so it is "
            "not the tests' own; use the fixture kafka_factory, which starts one"
        )


StartBroker = Callable[..., KafkaBroker]
"""`start(settings: Mapping[str, str] | None = None)` → a running broker of one's own."""


@contextmanager
def broker_factory(home: Path) -> Iterator[StartBroker]:
    """A function that starts brokers in `home`; all of them end with the block."""
    with ExitStack() as stack:

        def start(settings: Mapping[str, str] | None = None) -> KafkaBroker:
            broker = KafkaBroker(home / unique("broker"), settings)
            stack.callback(broker.close)
            broker.start()
            return broker

        yield start


def unique(prefix: str) -> str:
    """A name that no other test uses: tests share the session's broker."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def create_topics(
    bootstrap: str, *names: str, partitions: int = 1, config: Mapping[str, str] | None = None
) -> None:
    """Create topics and wait until they can be used; raises KafkaException where that fails."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    topics = [
        NewTopic(name, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
        for name in names
    ]
    for created in admin.create_topics(topics, request_timeout=PATIENCE).values():
        created.result()
    patience = Retrying(stop=stop_after_delay(PATIENCE), wait=wait_fixed(0.02), reraise=True)
    for name in names:
        patience(_check_topic, admin, name)


def _check_topic(admin: AdminClient, name: str) -> None:
    topic = admin.list_topics(name, timeout=PATIENCE).topics[name]
    if topic.error is not None:
        raise KafkaException(topic.error)


def read_topic(
    bootstrap: str, topic: str, *, isolation: str = "read_committed", timeout: float = PATIENCE
) -> list[Message]:
    """All records of a topic, in order within a partition, up to the end that `isolation` shows.

    That end is before any open transaction's first record. `timeout`: seconds for everything.
    """
    settings = {
        "bootstrap.servers": bootstrap,
        "group.id": unique("read-topic"),  # the client wants one, though nothing is committed
        "isolation.level": isolation,
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 10,  # an end is reported when an empty fetch returns
    }
    deadline = time.monotonic() + timeout
    with Consumer(settings) as consumer:
        unread = set(consumer.list_topics(topic, timeout=timeout).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, part, OFFSET_BEGINNING) for part in unread])
        found: list[Message] = []
        while unread:
            message = consumer.poll(max(0.0, deadline - time.monotonic()))
            if message is None:
                raise TimeoutError(f"{topic} was not read to its end within {timeout} s")
            error = message.error()
            if error is None:
                found.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                unread.discard(message.partition())
            elif not error.retriable():
                raise KafkaException(error)
        return found


def free_ports(count: int) -> list[int]:
    """Return free ports of the loopback interface."""
    with ExitStack() as stack:
        ports: list[int] = []
        for port in random.sample(PORTS, len(PORTS)):
            probe = stack.enter_context(socket.socket())
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                ports.append(port)
            if len(ports) == count:
                return ports
        raise BrokerError(f"no {count} free ports in {PORTS}")


def kafka_jars(cache: Path = CACHE, command: str = "make kafka") -> Path:
    """The folder with Kafka's jars, of the version that pom.xml names. `command`: fetches them."""
    pom = (HERE / "pom.xml").read_text()
    version = pom.partition("<kafka.version>")[2].partition("</kafka.version>")[0]
    jars = cache / version
    if not (jars / "complete").exists():
        raise BrokerError(f"Kafka {version} for the tests is not here: run `{command}`")
    return jars


def java(*command: str, jars: Path | None = None, more: Path | None = None) -> list[str]:
    """The command line of one of Kafka's Java programs. `jars`: their folder, else the broker's;
    `more`: a folder with further ones."""
    java = shutil.which("java")
    if java is None:
        raise BrokerError("there is no `java` to run the tests' Kafka: run `make kafka`")
    log4j = f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"
    path = ":".join(f"{folder}/*" for folder in (jars or kafka_jars(), more) if folder)
    return [java, *JVM_OPTIONS, log4j, "-cp", path, *command]


def main() -> None:
    """Run one broker until it is interrupted."""
    with tempfile.TemporaryDirectory() as home, broker_factory(Path(home)) as start:
        broker = start()
        sys.stdout.write(f"export KAFKA_BOOTSTRAP={broker.bootstrap}\n# log: {broker.log}\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
