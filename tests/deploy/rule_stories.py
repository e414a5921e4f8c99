"""The recorded run's second application, which has contact rules: its faults, in order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
from confluent_kafka import Producer

from tests.deploy.feeder import Feeder
from tests.deploy.recorded import RULES_JOB, RULES_WORK, P, Recording, Run, grew, rings
from tests.support.dispatcher import ANSWER, LiveWorld, purchases, until
from tests.support.kafka import KafkaBroker, create_topics, unique
from tests.support.valkey import StartValkey, ValkeyServer

BUSY = {"store": 5, "cafe": 1}
MOST_ON_THE_WEB = 20
"""Surveys a day of the route `web`, which has a pace."""

REGULARS, OPTED_OUT = range(100, 120), range(200, 220)
"""Customers that buy again and again; customers that opted out."""

SLOW_MS = 400
"""Milliseconds for which the store answers nothing, again and again."""

ASKING = f'sum({P}contacts_asking_invitations{{job="{RULES_JOB}"}})'
DECISIONS = f"rate({P}contact_decision_seconds_bucket[10s])"


def record_rules(
    kafka: KafkaBroker, home: Path, recording: Recording, start_valkey: StartValkey
) -> None:
    """Let all of it happen."""
    store = start_valkey()
    with LiveWorld(kafka.bootstrap, home) as world:
        vendor = world.start_vendor()
        crm, answers = f"crm.{world.name}", f"answers.{world.name}"
        create_topics(kafka.bootstrap, crm, answers)
        config = _config(world, store, crm, answers)
        world.create_topics(config)
        with Feeder(kafka.bootstrap, world.input, BUSY, answers) as feeder:
            run = Run(kafka, world, recording, feeder, config, vendor, RULES_JOB)
            run.start("0").wait_ready()
            _work(run)
            _limits(run)
            _opt_outs(run, crm)
            _feed(run, crm)
            _store(run, store)
            _answers(run)


def _config(world: LiveWorld, store: ValkeyServer, crm: str, answers: str) -> Path:
    path = world.configure(
        quota={"limits": ["30/3s"], "call_timeout": "4s"},
        window={"max_batch": 50, "max_wait": "2s"},
    )
    document = orjson.loads(path.read_bytes())
    document["contacts"] = {"store": {"type": "valkey", "url": store.url, "timeout": "20s"}}
    document["contact_rules"] = {"everyone": {"at_most": 1, "within": "30d"}}
    document["feeds"] = {
        "suppressions": {"topics": [crm], "address": "who", "max_lag": "10s"},
        "responses": {
            "topics": [answers],
            "address": "who",
            "campaign": "campaign",
            "route": "route",
        },
    }
    pace = {"at_most": MOST_ON_THE_WEB, "every": "day", "timezone": "UTC"}
    document["policies"] = {"few": {"pace": pace}}
    (web,) = (route for route in document["routes"] if route["name"] == "web")
    web["policy"] = "few"
    path.write_bytes(orjson.dumps(document))
    return path


def _work(run: Run) -> None:
    with run.recording.fault(
        RULES_WORK,
        f'count_over_time({P}build_info{{job="{RULES_JOB}"}}[60s]) >= 45',
        f'{P}contact_store_up{{job="{RULES_JOB}"}} == 1',
        grew('results_total{lane="pisano",status="accepted"}'),
        grew('results_total{lane="radar",status="accepted"}'),
        grew('responses_total{campaign="purchase-sms"}'),
    ):
        pass


def _limits(run: Run) -> None:
    """Customers buy again, and more buy on the web than may be asked in a day."""
    with run.recording.fault("limit met"):
        _repeat(run, 'held_back_total{reason="contact_limit"}', lambda: _buy(run, REGULARS))
    with run.recording.fault("pace met"):
        web = MOST_ON_THE_WEB
        _repeat(run, 'held_back_total{reason="pace_met"}', lambda: run.feeder.crowd("web", web))


def _opt_outs(run: Run, crm: str) -> None:
    """Customers that opted out buy; then opt-outs come that cannot be read."""
    with run.recording.fault("opted out"):
        _say(run, crm, OPTED_OUT)
        _repeat(run, 'results_total{reason="opted_out"}', lambda: _buy(run, OPTED_OUT))
        _repeat(run, 'feed_records_total{kind="suppressed"}', lambda: _say(run, crm, OPTED_OUT))
    with run.recording.fault("unreadable opt-outs", rings("OptOutsUnreadable")):
        _repeat(
            run,
            'feed_records_total{feed="suppressions",kind="dead_letter"}',
            lambda: run.feeder.raw(b"{", topic=crm),
        )


def _feed(run: Run, crm: str) -> None:
    """An open transaction of its writer keeps the feed of opt-outs from being read on."""
    settings = {"bootstrap.servers": run.kafka.bootstrap, "transactional.id": unique("crm")}
    writer = Producer(settings)
    writer.init_transactions(ANSWER)
    writer.begin_transaction()
    with run.recording.fault(
        "feed behind",
        f"{P}feeds_hold_back == 1",
        f"{ASKING} > 0",
        rings("SuppressionFeedBehind"),
    ):
        writer.produce(crm, orjson.dumps({"who": "customer1@mail.example.com"}))
        writer.flush(ANSWER)
    writer.commit_transaction(ANSWER)
    run.recording.shows("surveys go on", grew('results_total{lane="pisano",status="accepted"}'))


def _store(run: Run, store: ValkeyServer) -> None:
    """The contact store is slow; then it is stopped, and comes back empty."""
    shows, fault = run.recording.shows, run.recording.fault
    slow = f"histogram_quantile(0.95, sum by (le, question) ({DECISIONS})) > 0.2"

    def slowed() -> bool:
        store.client.client_pause(SLOW_MS)
        store.client.ping()  # is answered when the pause is over
        return bool(run.recording.prometheus.now(slow))

    with fault("store slow"):
        until("decisions are slow", slowed)
    with fault(
        "store down",
        f'{P}contact_store_up{{job="{RULES_JOB}"}} == 0',
        grew("contact_store_failures_total"),
        f"{ASKING} > 0",
        rings("ContactStoreDown"),
    ):
        store.stop()
    with fault("store back", f'{P}contact_store_phase{{phase="waiting"}} == 1'):
        store.start()
    shows("the store is rebuilt", f'{P}contact_store_phase{{phase="ready"}} == 1')
    shows("surveys go on", grew('results_total{lane="pisano",status="accepted"}'))


def _answers(run: Run) -> None:
    """As many surveys, and no answer any more."""
    with run.recording.fault("answers fell", rings("ResponseRateFell")):
        run.feeder.answers = ""
        run.feeder.crowd("store", 5000)


def _buy(run: Run, customers: range) -> None:
    run.feeder.raw(*(event.value for event in purchases("store", customers)))


def _say(run: Run, topic: str, customers: range) -> None:
    bodies = ({"who": event.recipient} for event in purchases("store", customers))
    run.feeder.raw(*map(orjson.dumps, bodies), topic=topic)


def _repeat(run: Run, counter: str, act: Callable[[], None]) -> None:
    """Act until the counter grows: its series may begin with what was counted first."""

    def shown() -> bool:
        act()
        return bool(run.recording.prometheus.now(grew(counter)))

    until(f"{counter} grows", shown)
