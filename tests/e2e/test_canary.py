"""No personal data where it does not belong: marked values through the real program, with faults.

The values go in where they do in life: addresses, names and data in events, keys and headers of
records, secrets in the config, and whatever a vendor may say. Everything that the program shows is
searched for them, in every form. That the vendor was told them proves that they were there.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Message

from consumer.clock import Clock
from consumer.kafka.records.messages import content_of
from consumer.records.fields import rfc3339
from tests.e2e.echoing_vendor import SHUT, TROUBLE, EchoingVendor, serving
from tests.e2e.leaks import forms, found
from tests.support import dispatcher as programs
from tests.support import local_http
from tests.support.dispatcher import Dispatcher, LiveWorld, until
from tests.support.kafka import KafkaBroker, read_topic

SECRETS = {
    "pseudonym key": "canary-key/of+the=pseudonyms",
    "pisano token": "canaryTokenOfPisano/47+11=",
    "radar password": "canary password: für Radar",
    "radar session": "canarySessionOfRadar.47/11+x",
    "kafka password": "canary:password@of-kafka",
}
PERSONAL = {
    "phone": "5321987654",
    "phone, national": "0532 198 76 54",
    "other phone": "5339876543",
    "e-mail": "canary.person+surveys@mail.example.com",
    "e-mail, local part": "canary.person",
    "first name": "Kanaryagül",
    "last name": "Çığırtkanoğlu",
    "street": "Kanarya Sokağı 17/4",
    "customer number": "canary-customer-0815",
}
VENDORS = {"vendor's words": "canary words of the vendor", "vendor's number": "canary 4917"}
CANARIES = SECRETS | PERSONAL | VENDORS
SAID = "{} {} {}, +90{}, {} ({}): {}".format(
    *VENDORS.values(),
    PERSONAL["last name"],
    PERSONAL["phone"],
    PERSONAL["e-mail"],
    SECRETS["pisano token"],
    PERSONAL["first name"],
)
PATHS = (
    "/",
    "/metrics",
    "/livez",
    "/readyz",
    "/status.json",
    f"/{PERSONAL['phone']}",
    "/metrics?a",
)
FORMS = ("application/openmetrics-text", "text/plain", "*/*")


# -- the search itself ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", CANARIES)
def test_the_search_finds_every_form_wherever_it_stands(name: str) -> None:
    """One that finds nothing would make every test below pass."""
    for before in ("", "a", "ab", "abc"):
        for form in forms(before + CANARIES[name] + "z"):
            assert name in found(CANARIES, f"{before}{form} …")
    assert found(CANARIES, "nothing of the kind, nor of 532198765") == set()


# -- the program ----------------------------------------------------------------------------------


@pytest.fixture
def world(
    kafka: KafkaBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LiveWorld]:
    """The program with planted defects, at log level debug."""
    real = programs.command

    def with_defects(*arguments: str | Path) -> list[str]:
        python, _m, _consumer, *rest = real(*arguments)
        more = ["--log-level", "debug"] if "run" in rest else []
        return [python, "-m", "tests.e2e.with_defects", *rest, *more]

    monkeypatch.setattr(programs, "command", with_defects)
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def configure(world: LiveWorld) -> Path:
    """Secrets in files, in the environment's way and in the text itself."""
    path = world.configure(window={"max_batch": 4}, max_attempts=2)
    document = json.loads(path.read_text())
    for name, text in SECRETS.items():
        (path.parent / name.replace(" ", "-")).write_text(f"{text}\n")
    document["pseudonym"]["key"] = "${file:pseudonym-key}"
    document["vendors"]["pisano"]["token"] = "${file:pisano-token}"
    document["vendors"]["radar"]["password"] = SECRETS["radar password"]
    document["kafka"]["sasl.password"] = "${file:kafka-password}"
    for route in document["routes"]:
        route["data"] = {"metadata": {"all": "customer"}, **route["data"]}
        if route["name"] != "cafe":
            route["data"].pop("metadata")
            route["data"]["custom_attributes"] = {"name": "customer.name", "no": "customer.no"}
    path.write_text(json.dumps(document))
    return path


def event(number: int, channel: str, **customer: object) -> bytes:
    body = {
        "id": f"event-{number}",
        "time": rfc3339(Clock().now()),
        "channel": channel,
        "customer": {
            "name": f"{PERSONAL['first name']} {PERSONAL['last name']}",
            "street": PERSONAL["street"],
            "no": PERSONAL["customer number"],
            **customer,
        },
    }
    return orjson.dumps(body)


def customers(first: int, count: int, **more: object) -> Iterator[bytes]:
    """Of all three channels; the canary is the first, others make the batches full."""
    for number in range(first, first + count):
        phone = PERSONAL["phone"] if number == first else f"533{number:07d}"
        email = PERSONAL["e-mail"] if number == first else f"canary.person{number}@x.example.com"
        yield event(number, "store", phone=f"+90{phone}", **more)
        yield event(number + 10_000, "web", email=email, **more)
        yield event(number + 20_000, "cafe", phone=f"+90{phone}", email=email, **more)


STORE = {"channel": "store"}
"""What a route matches: an event without an id or a time is only then a dead letter."""

BROKEN = [
    orjson.dumps({**STORE, "id": "b1", "customer": PERSONAL["e-mail"]}),
    orjson.dumps({**STORE, "time": PERSONAL["phone"], "id": "b2"}),
    orjson.dumps({**STORE, "id": PERSONAL["e-mail"] * 20, "time": "2026-11-22T10:00:00Z"}),
    orjson.dumps({**STORE, "id": [PERSONAL["e-mail"]], "time": PERSONAL["last name"]}),
    PERSONAL["last name"].encode("utf-16"),
    PERSONAL["e-mail"].encode(),
]


def publish(world: LiveWorld, values: Iterator[bytes]) -> None:
    """With an address as the key and a name in a header, as some producers do."""
    headers = [("customer", PERSONAL["last name"].encode())]
    key = PERSONAL["e-mail"].encode()
    world.publish_raw((key, value, list(headers)) for value in values)


@pytest.mark.timeout(300)
def test_no_canary_leaves_by_any_way_but_the_calls(world: LiveWorld) -> None:
    """Faults of all kinds, unreadable events, refused configs, defects; then everything is read."""
    vendor = EchoingVendor(SAID, SECRETS["radar session"], answers=TROUBLE)
    end = world.home / "end"
    with serving(vendor, world.vendor_port):
        config = configure(world)
        world.create_topics(config)
        running = world.start(config, DEFECT_FILE=str(end)).wait_ready()
        shown = Counter[str]()

        publish(world, customers(0, 24))
        publish(world, iter(BROKEN))
        publish(world, iter([event(7, "defect"), event(8, "store", phone=PERSONAL["phone"][:4])]))
        world.wait_results(3 * 24 + 1)
        until("every kind of answer", lambda: all(vendor.given[each] for each in TROUBLE))
        vendor.said = f"DEFECT {SAID}"
        publish(world, customers(100, 4, note="DEFECT"))
        vendor.answers = ("success",)
        until("defects of reading", lambda: bool(running.lines("thread_died")))
        refuse(running, config)
        vendor.said, vendor.answers = SAID, SHUT
        publish(world, customers(200, 8))
        until("an account, a campaign, a lane shut", lambda: any(vendor.given[x] for x in SHUT))
        look(running, shown)
        operate(config, shown)
        explain(world, config, shown)

        end.write_text(SAID)
        until("each lane ends", lambda: len(running.lines("stage_stopped")) == 2)
        assert running.terminate() == 1
        shown[running.log.read_text()] += 1
        others(world, shown)

    assert found(PERSONAL, b"".join(vendor.bodies)) >= {"phone", "e-mail", "last name"}
    assert [told for text in shown if (told := leaking(CANARIES, text))] == []
    # Of a vendor's message its own words travel to the results, and nothing of a customer's.
    results = read_topic(world.bootstrap, f"{world.name}.results")
    assert [told for each in results if (told := leaking(SECRETS | PERSONAL, whole(each)))] == []
    said = running.log.read_text()
    for event_name in ("call", "call_defect", "config_refused", "stage_stopped", "library"):
        assert f'"event": "{event_name}"' in said, f"the run never came to {event_name}"


def refuse(running: Dispatcher, config: Path) -> None:
    """Configs that are wrong just where a secret or a name stands."""
    good = config.read_text()
    token = config.parent / "pisano-token"
    document = json.loads(good)
    document["vendors"]["pisano"]["passwort"] = SECRETS["radar password"]
    document["vendors"]["radar"]["password"] = [SECRETS["radar password"]]
    document["kafka"]["sasl.passwort"] = SECRETS["kafka password"]
    document["routes"][0]["match"] = {"name": [{"prefx": PERSONAL["last name"]}]}
    config.write_text(json.dumps(document))
    token.write_text(f"{SECRETS['pisano token']} with a space")
    running.hang_up()
    until("it is refused", lambda: bool(running.lines("config_refused")))
    config.write_text(good)
    token.write_text(SECRETS["pisano token"])


def look(running: Dispatcher, shown: Counter[str]) -> None:
    """All that the admin port tells, errors too."""
    for path in PATHS:
        for form in FORMS:
            answer = local_http.get(
                f"http://127.0.0.1:{running.port}{path}", headers={"accept": form}
            )
            shown[answer.text] += 1
            shown[str(answer.headers)] += 1
    shown[local_http.post(f"http://127.0.0.1:{running.port}/metrics", content=SAID).text] += 1


def operate(config: Path, shown: Counter[str]) -> None:
    """What an operator's commands print, but for `dlq show --value`, which is there to show."""
    for words in (
        ["validate"],
        ["topics"],
        ["dlq", "list"],
        ["dlq", "show", "0/0"],
        ["dlq", "replay", "--reason", "internal_error", "--dry-run"],
        ["lanes", "list"],
        ["resend", "--status", "unknown", "--since", "1h", "--dry-run"],
        ["resend", "--status", "rejected", "--since", "1h", "--dry-run"],
    ):
        shown[command(config, *words)] += 1


def explain(world: LiveWorld, config: Path, shown: Counter[str]) -> None:
    """Why an event of each route, and one without a usable address, became what it did."""
    places = {(result["route"], result["reason"]): result["source"] for result in world.results()}
    assert {"store", "web", "cafe"} <= {route for route, _ in places}
    for source in places.values():
        shown[command(config, "explain", ":".join(map(str, source.values())))] += 1
    shown[command(config, "explain", f"{world.name}.dead-letters:0:0", "--json")] += 1


def command(config: Path, *words: str) -> str:
    """What an operator's command prints."""
    done = subprocess.run(
        programs.command(*words, "-c", config),
        env={"ADMIN_PORT": "0", "PATH": ""},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout + done.stderr


def others(world: LiveWorld, shown: Counter[str]) -> None:
    """Checkpoints, and of dead letters what is ours."""
    for lane in ("pisano", "radar"):
        for record in read_topic(world.bootstrap, f"{world.name}.checkpoints.{lane}"):
            shown[whole(record)] += 1
    dead = read_topic(world.bootstrap, f"{world.name}.dead-letters")
    assert len(dead) >= len(BROKEN) + 1
    for record in dead:
        ours = [each for each in content_of(record).headers if each[0].startswith("dead_letter.")]
        shown[str(ours)] += 1


def whole(record: Message) -> str:
    """Value, key and headers of a record."""
    return f"{(record.value() or b'').decode()} {record.key()!r} {content_of(record).headers}"


def leaking(canaries: Mapping[str, str], text: str) -> list[str]:
    """The lines that leak, with what they leak."""
    if not found(canaries, text):
        return []
    told = [(sorted(found(canaries, line)), line[:600]) for line in text.splitlines()]
    return [f"{names}: {line}" for names, line in told if names][:3] or [text[:600]]
