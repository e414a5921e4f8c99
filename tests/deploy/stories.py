"""What happens in the recorded run, in order."""

from __future__ import annotations

import time
from pathlib import Path

import orjson
from confluent_kafka import Producer

from tests.deploy.feeder import Feeder
from tests.deploy.input_stories import lose_inputs
from tests.deploy.recorded import P, Recording, Run, grew, rings
from tests.integration.test_operations import operate
from tests.support.dispatcher import SMS, Dispatcher, LiveWorld, until
from tests.support.kafka import KafkaBroker

BUSY = {"store": 5, "web": 3, "cafe": 2}
UNMATCHED = b'{"id":"some%d","time":"2026-01-31T08:00:00Z","channel":"nobody"}'
OLD = UNMATCHED.replace(b"2026", b"2020").replace(b"nobody", b"store")
NO_PHONE = b'{"id":"n%d","time":"%s","channel":"store","customer":{}}'


def record(kafka: KafkaBroker, home: Path, recording: Recording) -> None:
    """Let all of it happen."""
    with LiveWorld(kafka.bootstrap, home) as world:
        vendor = world.start_vendor(token_ttl=5.0)
        config = world.configure(
            quota={"limits": ["30/3s"], "max_buffered": 1000, "call_timeout": "4s"},
            radar_quota={"call_timeout": "4s"},
            window={"max_batch": 50, "max_wait": "2s"},
            max_attempts=3,
        )
        world.create_topics(config)
        with Feeder(kafka.bootstrap, world.input, BUSY) as feeder:
            run = Run(kafka, world, recording, feeder, config, vendor)
            first = run.start("0").wait_ready()
            for story in (
                _works,
                _customers,
                _events,
                _vendor,
                _account,
                _quota,
                _campaign,
                _pauses,
                lose_inputs,
                _configs,
            ):
                story(run)
            _kafka(run, _moves(run, first))
            _rivals(run)


def _works(run: Run) -> None:
    with run.recording.fault(
        "works",
        f"count_over_time({P}build_info[60s]) >= 35",
        grew('results_total{lane="pisano",status="accepted"}'),
        grew('results_total{lane="radar",status="accepted"}'),
    ):
        pass


def _customers(run: Run) -> None:
    with run.recording.fault(
        "crowd",
        f'sum({P}waiting_invitations{{lane="pisano"}}) > 1000',
        f'{P}spilled_invitations{{lane="pisano"}} > 0',
        f'{P}next_permit_seconds{{lane="pisano"}} > 0',
        f'{P}oldest_waiting_age_seconds{{campaign="purchase-sms"}} > 3',
    ):
        run.feeder.crowd("store", 4000)
    run.calm()


def _events(run: Run) -> None:
    with run.recording.fault("unreadable", grew('events_total{disposition="dead_letter"}')):
        run.feeder.raw(*[b"{"] * 20)
    with run.recording.fault("foreign", grew('dead_letters_total{stage="pisano"}')):
        run.feeder.raw(b"{", topic=f"{run.world.name}.invitations.pisano")
    with run.recording.fault(
        "unusable",
        grew('events_total{disposition="expired"}'),
        grew('events_total{disposition="rejected"}'),
    ):
        run.feeder.raw(*(OLD % number for number in range(20)))
        today = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()).encode()
        run.feeder.raw(*(NO_PHONE % (number, today) for number in range(20)))
    lag = f"{P}consumer_lag_records > 100"

    def flooded() -> bool:  # more and more: how fast the router is depends on the machine
        run.feeder.raw(*(UNMATCHED % number for number in range(20_000)))
        return bool(run.recording.prometheus.now(lag))

    with run.recording.fault("flood"):
        until("the router lags", flooded)


def _vendor(run: Run) -> None:
    """It fails, and then it is silent."""
    with (
        run.vendor_says(code={"13000": 1.0}, vendors=["pisano"]),
        run.recording.fault(
            "trouble",
            f'{P}circuit_open{{vendor="pisano"}} == 1',
            f'{P}oldest_waiting_age_seconds{{campaign="purchase-sms"}} > 5',
        ),
    ):
        pass
    run.calm()
    with (
        run.vendor_says(hang=1.0, vendors=["pisano"]),
        run.recording.fault(
            "silence",
            grew('results_total{status="unknown"}'),
            grew('calls_total{answer="timeout"}'),
            f'{P}calls_in_flight{{lane="pisano"}} > 0',
        ),
    ):
        pass
    run.calm()


def _account(run: Run) -> None:
    """It refuses the account, then some customers."""
    with (
        run.vendor_says(code={"13001": 1.0}),
        run.recording.fault("credentials", f'{P}credentials_refused{{vendor="pisano"}} == 1'),
    ):
        pass
    run.calm()
    with run.recording.fault(
        "bad recipients",
        grew("bisections_total"),
        grew("bisect_calls_total"),
        grew('results_total{reason="vendor_rejected"}', "15s"),
        within=120,
    ):
        some = range(1_000_000, 2_000_000, 40)
        run.vendor_again(bad_recipients=frozenset(f"+90532{number:07d}" for number in some))


def _quota(run: Run) -> None:
    run.vendor_again()
    run.calm()
    with run.recording.fault("throttled", grew("throttled_total"), f"{P}limits_in_use_ratio < 1"):
        run.vendor_again(pisano_quota={"limits": ["2/5s"]})
    run.vendor_again()
    run.calm()


def _campaign(run: Run) -> None:
    """The vendor refuses one campaign's calls. Then it knows a campaign no more; a minute later it
    does again."""
    with (
        run.vendor_says(campaigns={"13001": [SMS]}),
        run.recording.fault(
            "sick campaign", f'{P}campaign_circuit_open{{campaign="purchase-sms"}} == 1'
        ),
    ):
        pass
    run.calm()
    with (
        run.vendor_says(code={"13002": 1.0}),
        run.recording.fault(
            "parked",
            f"{P}campaign_parked == 1",
            grew("delayed_total"),
            f"sum({P}delayed_invitations) > 0",  # looked at every 15 s
        ),
    ):
        pass


def _pauses(run: Run) -> None:
    """An operator pauses a campaign, and resumes it."""
    with run.recording.fault("paused", f'{P}paused{{kind="campaign",by="command"}} == 1'):
        operate(run.config, "pause", "campaign", "visit")
    operate(run.config, "resume", "campaign", "visit")
    run.recording.shows("it goes on", grew('results_total{lane="radar",status="accepted"}'))


def _configs(run: Run) -> None:
    """A refused one, and one without a lane that still holds customers."""
    shows, fault = run.recording.shows, run.recording.fault
    with fault("wrong password", f'{P}credentials_refused{{vendor="radar"}} == 1'):
        run.vendor_again(radar_password="another")
    text = run.config.read_text()
    with fault("config refused", f"{P}config_last_reload_successful == 0"):
        run.reconfigure(text.replace('"phone_region": "TR"', '"phone_region": "Turkey"'))
    run.reconfigure(text)
    shows("the config is taken again", f"{P}config_last_reload_successful == 1")
    document = orjson.loads(text)
    for section, name in (("quotas", "radar"), ("vendors", "radar"), ("campaigns", "visit")):
        del document[section][name]
    document["routes"] = [route for route in document["routes"] if route["name"] != "cafe"]
    with fault("orphans", f"{P}orphaned_lane_records > 0", within=150):
        run.reconfigure(orjson.dumps(document).decode())
    run.reconfigure(text)
    run.vendor_again()
    shows("the lane is back", f'{P}lane_lag_records{{lane="radar"}}')


def _moves(run: Run, first: Dispatcher) -> Dispatcher:
    """A second process stands by, and the lane's owner is killed with a call under way."""
    second = run.start("1").wait_ready()
    loops = f'count by (instance) ({P}loop_heartbeat_timestamp_seconds{{loop="pisano"}})'
    with run.recording.fault("standby", f"count({loops}) > 1"):
        pass
    with (
        run.vendor_says(hang=1.0),
        run.recording.fault("killed", grew('results_total{reason="owner_lost"}', "20s")),
    ):
        owns = "pisano" in first.metrics().label_values("lane_lag_records", "lane")
        owner, other = (first, second) if owns else (second, first)
        until("a call is under way", lambda: _in_flight(owner) > 0)
        owner.kill()
    return other


def _in_flight(owner: Dispatcher) -> float:
    return owner.metrics().total("calls_in_flight", lane="pisano")


def _kafka(run: Run, survivor: Dispatcher) -> None:
    """The broker is frozen for a moment; then killed, until what was under way is given up."""
    buckets = f"rate({P}transaction_duration_seconds_bucket[10s])"
    with run.recording.fault(
        "kafka slow", f"histogram_quantile(0.95, sum by (le, stage) ({buckets})) > 1"
    ):
        run.kafka.pause()  # so long that the slow ones are not lost among ten seconds of quick ones
        run.recording.shows("a loop waits", f"time() - {P}loop_heartbeat_timestamp_seconds > 8")
        run.kafka.resume()
    for lane in ("pisano", "radar"):  # else no transaction is under way that could be given up
        run.recording.shows(f"{lane} works", grew(f'records_settled_total{{lane="{lane}"}}'))
    with run.recording.fault(
        "kafka away",
        f"{P}broker_up == 0",
        f"time() - {P}loop_heartbeat_timestamp_seconds > 5",
        grew("transactions_aborted_total"),
    ):
        run.kafka.kill()
    run.kafka.restart()
    run.recording.shows("work goes on", grew("records_settled_total"))
    survivor.wait_ready()
    survivor.kill()  # how it stops after this is not the question here


def _rivals(run: Run) -> None:
    """Two configs take the lanes in turn; then a checkpoint says that it is of a later version."""
    other = run.config.with_name("other.yaml")
    other.write_text(run.config.read_text().replace('"max_batch": 50', '"max_batch": 49'))
    with run.recording.fault("contested", f"{P}lane_contested_total > 0"):
        for turn in range(5):
            rival = run.start(str(turn % 2), other if turn % 2 else run.config)
            here = f'lane="pisano",instance="127.0.0.1:{rival.port}"'
            run.recording.shows("it works", f"{P}records_settled_total{{{here}}} > 0")
            if turn < 4:
                assert rival.terminate() == 0
    assert rival.terminate() == 0
    newer = {**run.world.checkpoint("radar").model_dump(mode="json"), "version": 99}
    producer = Producer({"bootstrap.servers": run.kafka.bootstrap})
    producer.produce(f"{run.world.name}.checkpoints.radar", orjson.dumps(newer), "radar")
    assert producer.flush(10) == 0
    seen = rings("StageStopped")  # the run ends with it
    with run.recording.fault("stopped", f'{P}stage_stopped{{loop="radar"}} == 1', seen):
        run.start("0")
