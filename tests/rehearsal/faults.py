"""The ten faults, by number: how each begins, and what people say when they are asked.

Their names are for the rehearsal's report; the engineer on call knows the number alone.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from consumer.sandbox.settings import SAMPLE_CAMPAIGNS, PisanoCampaign
from tests.rehearsal.room import PODS, PURCHASES, Room
from tests.support.dispatcher import ANSWER, Dispatcher, purchases, until
from tests.support.kafka import create_topics, free_ports

Answer = Callable[[], str]
"""What a team does when it is asked, and says."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`begin` harms the room and returns team → its answer."""

    name: str
    begin: Callable[[Room], Mapping[str, Answer]]


def _token_replaced(room: Room) -> Mapping[str, Answer]:
    token = "sandbox-token-of-november"
    room.vendor_again(pisano_token=token)
    (room.home / "vault-pisano-token.txt").write_text(token)
    room.console("API tokens: 1 active, made today. The former one was revoked.")
    return {"security": lambda: "We rotated the token; the new one is vault-pisano-token.txt."}


def _campaign_replaced(room: Room) -> Mapping[str, Answer]:
    sms, *others = SAMPLE_CAMPAIGNS
    new = PisanoCampaign(id="0b9b5e0e-5d8e-4a52-9d0c-5f7f1f1b2a77", channel=sms.channel)
    room.vendor_again(campaigns=[new, *others])
    lines = [f"{each.channel}: campaign {each.id}" for each in (new, *others)]
    room.console("Campaigns of this account\n" + "\n".join(lines))
    return {"experience": lambda: "We made the SMS survey again at the vendor; see its console."}


def _config_misspelt(room: Room) -> Mapping[str, Answer]:
    room.rewrite(lambda text: text.replace("max_batch: 500", "max_batch: 600"))
    room.rewrite(lambda text: text.replace("phone_region: TR", "phone_region: Turkey", 1))
    return {"experience": lambda: "We wanted batches of 600. The phones are Turkish ones, as ever."}


def _transaction_hangs(room: Room) -> Mapping[str, Answer]:
    settings = {
        "bootstrap.servers": room.kafka.bootstrap,
        "transactional.id": "till-export",
        "transaction.timeout.ms": 900_000,
    }
    producer = Producer(settings)
    producer.init_transactions(ANSWER)
    producer.begin_transaction()
    for partition in range(room.world.partitions):
        producer.produce(room.world.input, b"{}", partition=partition)
    producer.flush(ANSWER)
    room.ends.callback(lambda: producer.list_topics)  # keeps it alive, for its end would abort

    return {"producers": lambda: "An export of ours hangs. Kafka's administrators may abort it."}


def _truncated_events(room: Room) -> Mapping[str, Answer]:
    stopped = threading.Event()
    producer = Producer({"bootstrap.servers": room.kafka.bootstrap})

    def spoil() -> None:
        number = 9_000_000
        while not stopped.wait(0.5):
            number += 1
            (event,) = purchases("store", [number])
            producer.produce(room.world.input, event.value[:-20], event.id)
            producer.poll(0)

    def stop() -> str:
        stopped.set()
        producer.flush(ANSWER)
        return "A till cut its events off. It is mended; we write what was cut off again."

    room.ends.callback(stopped.set)
    threading.Thread(target=spoil, name="spoil", daemon=True).start()
    return {"producers": stop}


def _quota_shared(room: Room) -> Mapping[str, Answer]:
    room.vendor_again(pisano_quota={"limits": ["5/10s"]})
    room.console("API usage, last minute: client surveys 30, client crm-export 90 of 120.")
    said = "crm-export calls the vendor up to 15 times in 10 s until tonight. It cannot be slower."
    return {"vendor": lambda: "See your console.", "crm": lambda: said}


def _sender_frozen(room: Room) -> Mapping[str, Answer]:
    def owner() -> Dispatcher | None:
        for name in PODS:
            pod = room.pods[name]
            if "pisano" in pod.metrics().label_values("lane_lag_records", "lane"):
                return pod
        return None

    until("a pod owns the lane", lambda: owner() is not None)
    pod = owner()
    assert pod is not None
    os.kill(int(pod.lines("processes_started")[-1]["sender"]), signal.SIGSTOP)
    return {}


def _input_recreated(room: Room) -> Mapping[str, Answer]:
    room.feeder.channels = {}
    room.settle()
    admin, topic = AdminClient({"bootstrap.servers": room.kafka.bootstrap}), room.world.input
    admin.delete_topics([topic])[topic].result(ANSWER)
    until("the topic is gone", lambda: topic not in admin.list_topics(timeout=ANSWER).topics)
    create_topics(room.kafka.bootstrap, topic, partitions=room.world.partitions)
    room.feeder.channels = dict(PURCHASES)
    said = "We deleted the topic and made it again for its settings. All of it is new since then."
    return {"producers": lambda: said}


def _store_ended(room: Room) -> Mapping[str, Answer]:
    room.store.kill()

    def start() -> str:
        room.store.start()
        return "The Valkey of the contact store had ended. It runs again, empty."

    return {"platform": start}


def _second_application(room: Room) -> Mapping[str, Answer]:
    other = room.home / "parts" / "staging.yaml"
    other.write_text(room.config.read_text().replace("max_batch: 500", "max_batch: 490"))
    log = room.home / "parts" / "staging.log"
    arguments = ("--from", "earliest", "--instance", "staging-0")
    rival = Dispatcher(other, log, free_ports(1)[0], *arguments)
    room.ends.callback(rival.close)

    def stop() -> str:
        rival.terminate()
        return "A copy of the release ran in the namespace staging. It is scaled to 0."

    return {"platform": stop}


FAULTS = (
    Fault("the vendor's token was replaced", _token_replaced),
    Fault("the campaign has another id at the vendor", _campaign_replaced),
    Fault("the config has a wrong value", _config_misspelt),
    Fault("a producer's transaction hangs on the input", _transaction_hangs),
    Fault("events are cut off", _truncated_events),
    Fault("another program spends half the quota", _quota_shared),
    Fault("the sender's process is frozen", _sender_frozen),
    Fault("the input topic was deleted and made again", _input_recreated),
    Fault("the contact store ended", _store_ended),
    Fault("a second application has the same application_id", _second_application),
)
