"""Names, bounds of the labels, and what a scrape shows."""

from __future__ import annotations

from collections import Counter as Tally
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from consumer.lane.state.commands import SealReason
from consumer.lane.state.snapshot import (
    AccountSnapshot,
    CampaignCircuit,
    CampaignSnapshot,
    LaneSnapshot,
    LimitSnapshot,
    QuotaSnapshot,
)
from consumer.observability.metrics.exemplars import Exemplar
from consumer.observability.metrics.labels import (
    CAMPAIGNS_SHOWN,
    CLOSED,
    CODES_SHOWN,
    OTHER,
    BoundedLabels,
    Disposition,
)
from consumer.observability.metrics.metrics import Metrics
from consumer.records.call import Verdict
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.result import Reason
from consumer.routing.feeds import FeedKind
from tests.support.lanes import NOW, Driver, held
from tests.support.lanes import lane as make_lane

LANE = "pisano-cloud"
OF_CONFIG = {
    *("topic", "partition", "lane", "campaign", "vendor", "limit", "stage", "loop"),
    *("rule", "name", "route", "application"),
}

OF_THE_BUILD = {"version", "python", "librdkafka"}
OF_A_PARENT = {"status", "le", "code"}  # from a reason, the buckets, or bounded by their number


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """One sample's value, or None if there is no such series."""
    return metrics.registry.get_sample_value(f"survey_dispatcher_{name}", labels)


def snapshot(
    campaigns: dict[str, CampaignSnapshot] | None = None,
    permits: dict[str, float] | None = None,
    lane: str = LANE,
) -> LaneSnapshot:
    (batch,) = Driver(make_lane()).read(held(0))
    left = [LimitSnapshot(limit, number, 18) for limit, number in (permits or {}).items()]
    return LaneSnapshot(
        lane,
        NOW,
        campaigns=campaigns or {},
        accounts=[AccountSnapshot("pisano-tr", credentials_refused=True)],
        quota=QuotaSnapshot(left, next_permit=3.9, limits_in_use=0.7),
        in_flight=[batch, batch],
        buffered=7,
        buffered_bytes=7168,
        span=9,
        lag=12,
        drain=60.0,
        paused=True,
    )


def feed_all(metrics: Metrics, lane: str, campaigns: list[str]) -> None:
    """Calls every method once, and those of a campaign once for each."""
    metrics.router.start_inputs(["pos"])
    metrics.lane(lane).start()
    metrics.router.events("pos", Disposition.DEAD_LETTER, DeadLetterReason.NOT_JSON, 3)
    metrics.lane(lane).dead_letters({DeadLetterReason.BAD_INVITATION: 1})
    metrics.router.inputs({("pos", 0): (20, 5)})
    metrics.router.waiting_inputs([("pos", 0)])
    metrics.process.orphaned({"former": 3})
    for name in campaigns:
        metrics.router.routed(lane, name, 10)
        metrics.lane(lane).sealed(name, SealReason.FULL, 5000)
    every = {name: CampaignSnapshot(waiting=1, oldest_age=2.0) for name in campaigns}
    metrics.lane(lane).snapshot(snapshot(every, {"20/5s": 18}, lane))
    metrics.lane(lane).settled(5000)
    metrics.lane(lane).delayed(["1m", "1m", "10m"])
    metrics.stage("delay").delayed_invitations({"1m": 2})
    metrics.stage("delay").delayed_by_campaign({(lane, name): 1 for name in campaigns})
    metrics.lane(lane).polled(0.05)
    metrics.lane(lane).transaction_limit(5000)
    metrics.lane(lane).kafka_throttled(1.5)
    metrics.lane(lane).takeover(in_doubt=2)
    metrics.lane(lane).contested()
    metrics.lane(lane).other_config()
    metrics.lane(lane).in_doubt()
    metrics.lane(lane).results({Reason.ACCEPTED: 5000})
    metrics.lane(lane).route_results({("store", "purchase-sms", Reason.ACCEPTED): 5000})
    metrics.lane(lane).accepted([2.0, 70.0])
    metrics.lane(lane).call("pisano-tr", 200, 0.3)
    metrics.lane(LANE).login("radar", Verdict.ACCEPTED)
    metrics.lane(lane).throttled()
    metrics.lane(lane).vendor_code("pisano-tr", "13015")
    metrics.lane(lane).bisected(began=1, calls=12)
    metrics.lane(lane).stopped()
    metrics.process.deletion_refused("surveys.delayed.1m")
    metrics.router.stopped_partitions({("pos", 1): 1})
    metrics.process.command("reopen_lane")
    metrics.lane(lane).transaction(0.002)
    metrics.router.aborted()
    metrics.lane(lane).kafka_error("_TRANSPORT")
    metrics.process.broker(up=True)
    metrics.lane(lane).heartbeat(1.7e9)
    metrics.process.config_loaded("c0ffee", campaigns, ["store"])
    metrics.process.config_reload("applied")
    metrics.contacts.start()
    metrics.contacts.set_rules(["everyone"])
    metrics.contacts.answered("reserve", 0.01)
    metrics.contacts.unavailable()
    metrics.contacts.phase("reading")
    metrics.contacts.held_back(lane, {("everyone", Reason.CONTACT_LIMIT): 2})
    metrics.process.paused("command", [("campaign", name) for name in campaigns])
    metrics.contacts.start_feeds({"suppressions": 900.0})
    metrics.contacts.feed_records({("suppressions", FeedKind.SUPPRESSED): 3})
    metrics.contacts.feed_lags({"suppressions": 1.5})
    metrics.contacts.feeds_hold_back(closed=True)
    metrics.contacts.responses({("store", campaigns[0]): 2})


def test_names_have_the_prefix_and_the_suffix_of_their_kind_and_unit() -> None:
    metrics = Metrics(campaigns=["a"])
    feed_all(metrics, LANE, ["a"])
    for family in metrics.registry.collect():
        assert family.name.startswith("survey_dispatcher_")
        assert family.documentation
        if family.type == "counter":
            assert all(s.name.endswith(("_total", "_created")) for s in family.samples)
        if family.type == "histogram":
            assert family.name.endswith(("_seconds", "_invitations"))
        assert not any(unit in family.name for unit in ("_ms", "milli", "minute", "_kb", "_mb"))


def test_every_label_has_a_known_origin_and_every_method_was_fed() -> None:
    """A new label must come from a closed set or from the config; a new metric must be fed."""
    metrics = Metrics(campaigns=["a"])
    feed_all(metrics, LANE, ["a"])
    for family in metrics.registry.collect():
        assert family.samples, family.name
        for sample in family.samples:
            assert sample.labels.keys() <= CLOSED.keys() | OF_CONFIG | OF_THE_BUILD | OF_A_PARENT


def test_500_campaigns_make_at_most_201_label_sets_per_metric_and_lane() -> None:
    names = [f"campaign-{number}" for number in range(500)]
    metrics = Metrics(campaigns=names)
    for lane in (LANE, "radar"):
        feed_all(metrics, lane, names)
    for family in metrics.registry.collect():
        sets = {tuple((k, v) for k, v in s.labels.items() if k != "le") for s in family.samples}
        per_lane = Tally(dict(each).get("lane") for each in sets)
        assert max(per_lane.values(), default=0) <= CAMPAIGNS_SHOWN + 1, family.name
    labels = BoundedLabels()
    labels.set_campaigns(names)
    assert [labels.campaign(name) for name in names] == names[:200] + [OTHER] * 300
    assert value(metrics, "invitations_routed_total", lane=LANE, campaign=OTHER) == 3000


def test_a_campaign_that_the_config_does_not_have_is_counted_as_other() -> None:
    """An invitation of an older config may name a campaign that was removed."""
    assert BoundedLabels().campaign("removed") == OTHER


@settings(max_examples=40)  # each example makes a registry of 30 metrics
@given(
    foreign=st.one_of(
        st.emails(), st.from_regex(r"\+?[0-9]{10,15}", fullmatch=True), st.text(max_size=40)
    )
)
def test_no_label_carries_what_its_closed_set_does_not_have(foreign: str) -> None:
    """An address, a token or a vendor's text in a caller's mistake never reaches a scrape."""
    known = {label: foreign if foreign in CLOSED[label] else OTHER for label in CLOSED}
    metrics = Metrics()
    metrics.router.events("pos", foreign, foreign)
    metrics.router.routed(LANE, foreign, 1)
    metrics.lane(LANE).sealed(foreign, foreign, 1)
    metrics.lane(LANE).snapshot(snapshot({foreign: CampaignSnapshot(1, 1.0)}))
    metrics.lane(LANE).call("pisano-tr", foreign, 0.1)
    metrics.lane(LANE).login("radar", foreign)
    metrics.lane(LANE).kafka_error(foreign)
    metrics.process.config_reload(foreign)
    metrics.process.command(foreign)
    metrics.lane(LANE).delayed([foreign])
    metrics.process.paused(foreign, [(foreign, "store")])
    metrics.stage("delay").delayed_invitations({foreign: 1})
    metrics.contacts.answered(foreign, 0.1)
    metrics.contacts.phase(foreign)
    metrics.contacts.held_back(LANE, {(foreign, foreign): 0})  # type: ignore[dict-item]
    metrics.contacts.feed_records({(foreign, foreign): 1})  # type: ignore[dict-item]
    metrics.contacts.feed_lags({foreign: 1.0})
    metrics.contacts.responses({(foreign, foreign): 1})
    seen = [s.labels for family in metrics.registry.collect() for s in family.samples]
    known |= {"campaign": OTHER, "rule": OTHER, "route": OTHER}
    for label, expected in known.items():
        assert {labels[label] for labels in seen if label in labels} == {expected}


def test_the_lanes_reasons_to_seal_are_in_the_closed_set() -> None:
    assert set(SealReason) <= CLOSED["why"]


def test_an_answer_is_counted_by_status_or_by_kind_of_failure() -> None:
    metrics = Metrics()
    for answer in (200, 429, "timeout", "reset", 999):
        metrics.lane(LANE).call("pisano-tr", answer, 0.3)
    for shown in ("200", "429", "timeout", "reset", OTHER):
        assert value(metrics, "calls_total", lane=LANE, vendor="pisano-tr", answer=shown) == 1
    assert value(metrics, "call_duration_seconds_count", lane=LANE) == 5


def test_a_batch_of_events_is_counted_in_one_call() -> None:
    metrics = Metrics()
    metrics.router.events("pos", Disposition.REJECTED, Reason.NO_RECIPIENT, 41)
    metrics.router.events("pos", Disposition.REJECTED, Reason.NO_RECIPIENT)
    labels = {"topic": "pos", "disposition": "rejected", "reason": "no_recipient"}
    assert value(metrics, "events_total", **labels) == 42


def test_a_result_bears_the_status_of_its_reason() -> None:
    metrics = Metrics()
    metrics.lane(LANE).results({Reason.OWNER_LOST: 3})
    assert value(metrics, "results_total", lane=LANE, status="unknown", reason="owner_lost") == 3


def test_results_are_counted_by_route_and_campaign() -> None:
    """What is not in the config shares `other`: a name of a record makes no series."""
    metrics = Metrics()
    metrics.process.config_loaded("c0ffee", ["sms"], ["store"])
    metrics.stage("router").route_results({("store", None, Reason.TOO_OLD): 2})
    metrics.lane(LANE).route_results(
        {("store", "sms", Reason.ACCEPTED): 5, ("gone", "former", Reason.ACCEPTED): 1}
    )
    too_old = {"status": "expired", "reason": "too_old"}
    assert value(metrics, "route_results_total", route="store", campaign="", **too_old) == 2
    accepted = {"status": "accepted", "reason": "accepted"}
    assert value(metrics, "route_results_total", route="store", campaign="sms", **accepted) == 5
    assert value(metrics, "route_results_total", route="other", campaign="other", **accepted) == 1


def test_event_ages_fall_into_buckets_from_a_second_to_a_week() -> None:
    metrics = Metrics()
    metrics.lane(LANE).accepted([-5.0, 0.5, 61.0, 604800.0, 604801.0])
    name = "event_to_answer_seconds"
    assert value(metrics, f"{name}_bucket", lane=LANE, le="1.0") == 2
    assert value(metrics, f"{name}_bucket", lane=LANE, le="604800.0") == 4
    assert value(metrics, f"{name}_count", lane=LANE) == 5
    assert value(metrics, f"{name}_sum", lane=LANE) == 0.5 + 61.0 + 604800.0 + 604801.0


def test_a_snapshot_sets_every_gauge_of_the_lane() -> None:
    metrics = Metrics(campaigns=["a"])
    metrics.lane(LANE).snapshot(
        snapshot({"a": CampaignSnapshot(5, 61.0)}, {"20/5s": 18.9, "1/1s": 0})
    )
    assert value(metrics, "waiting_invitations", lane=LANE, campaign="a") == 5
    assert value(metrics, "oldest_waiting_age_seconds", lane=LANE, campaign="a") == 61
    assert value(metrics, "permits_left", lane=LANE, limit="20/5s") == 18
    assert value(metrics, "permits_left", lane=LANE, limit="1/1s") == 0
    plain = {
        "next_permit_seconds": 3.9,
        "buffered_invitations": 7,
        "buffered_bytes": 7168,
        "span_offsets": 9,
        "lane_lag_records": 12,
        "calls_in_flight": 2,
        "lane_paused": 1,
    }
    assert {name: value(metrics, name, lane=LANE) for name in plain} == plain


def test_campaigns_that_share_other_are_summed_and_the_oldest_counts() -> None:
    metrics = Metrics(campaigns=["a"])
    campaigns = {
        "a": CampaignSnapshot(1, 1.0),
        "x": CampaignSnapshot(2, 90.0),
        "y": CampaignSnapshot(3, 30.0),
    }
    metrics.lane(LANE).snapshot(snapshot(campaigns))
    assert value(metrics, "waiting_invitations", lane=LANE, campaign=OTHER) == 5
    assert value(metrics, "oldest_waiting_age_seconds", lane=LANE, campaign=OTHER) == 90


def test_campaigns_that_share_other_show_that_one_of_them_is_held_back() -> None:
    """Its series is one of 200 campaigns' and `other`, however many the config has."""
    metrics = Metrics(campaigns=["a"])
    campaigns = {
        "a": CampaignSnapshot(1, 1.0),
        "x": CampaignSnapshot(2, 90.0, circuit=CampaignCircuit.OPEN),
        "y": CampaignSnapshot(3, 30.0),
    }
    metrics.lane(LANE).snapshot(snapshot(campaigns))
    assert value(metrics, "campaign_circuit_open", lane=LANE, campaign="a") == 0
    assert value(metrics, "campaign_circuit_open", lane=LANE, campaign=OTHER) == 1
    assert value(metrics, "campaign_circuit_open", lane=LANE, campaign="x") is None


def test_a_campaign_or_limit_that_is_gone_from_the_snapshot_loses_its_gauges() -> None:
    metrics = Metrics(campaigns=["a", "b"])
    both = {"a": CampaignSnapshot(1, 1.0), "b": CampaignSnapshot(2, 2.0)}
    for lane in (LANE, "radar"):
        metrics.lane(lane).snapshot(snapshot(both, {"20/5s": 1, "40/25s": 1}, lane))
    metrics.lane(LANE).snapshot(snapshot({"a": CampaignSnapshot(1, 1.0)}, {"20/5s": 1}))
    assert value(metrics, "waiting_invitations", lane=LANE, campaign="a") == 1
    assert value(metrics, "waiting_invitations", lane=LANE, campaign="b") is None
    assert value(metrics, "oldest_waiting_age_seconds", lane=LANE, campaign="b") is None
    assert value(metrics, "permits_left", lane=LANE, limit="40/25s") is None
    assert value(metrics, "waiting_invitations", lane="radar", campaign="b") == 2


def test_an_account_with_an_open_circuit_shows_until_the_config_drops_it() -> None:
    metrics = Metrics(campaigns=["a"])
    metrics.lane(LANE).snapshot(snapshot())
    assert value(metrics, "credentials_refused", lane=LANE, vendor="pisano-tr") == 1
    assert value(metrics, "circuit_open", lane=LANE, vendor="pisano-tr") == 0
    assert value(metrics, "limits_in_use_ratio", lane=LANE) == 0.7
    metrics.lane(LANE).snapshot(replace(snapshot(), accounts=()))
    assert value(metrics, "credentials_refused", lane=LANE, vendor="pisano-tr") is None


def test_a_vendor_that_makes_codes_up_makes_no_endless_series() -> None:
    metrics = Metrics(campaigns=["a"])
    for code in range(CODES_SHOWN + 10):
        metrics.lane(LANE).vendor_code("pisano-tr", str(code))
    labels = {"lane": LANE, "vendor": "pisano-tr"}
    assert value(metrics, "vendor_codes_total", **labels, code="49") == 1
    assert value(metrics, "vendor_codes_total", **labels, code=OTHER) == 10


def test_a_lane_that_moved_away_leaves_its_counters_and_no_gauge() -> None:
    metrics = Metrics(campaigns=["a"])
    for lane in (LANE, "radar"):
        feed_all(metrics, lane, ["a"])
    metrics.lane(LANE).clear()
    gauges = [f for f in metrics.registry.collect() if f.type == "gauge"]
    assert not [s for f in gauges for s in f.samples if LANE in s.labels.values()]
    assert len([s for f in gauges for s in f.samples if "radar" in s.labels.values()]) == 22
    assert value(metrics, "takeovers_total", lane=LANE) == 1
    metrics.lane(LANE).snapshot(snapshot({"a": CampaignSnapshot(1, 1.0)}))
    assert value(metrics, "waiting_invitations", lane=LANE, campaign="a") == 1


def test_router_lag_shows_the_assigned_partitions_only() -> None:
    metrics = Metrics()
    metrics.router.inputs({("pos", 0): (20, 5), ("pos", 1): (30, 6)})
    metrics.router.inputs({("pos", 1): (32, 4), ("web", 0): (7, 0)})
    assert value(metrics, "consumer_lag_records", topic="pos", partition="0") is None
    assert value(metrics, "consumer_lag_records", topic="pos", partition="1") == 4
    assert value(metrics, "consumer_lag_records", topic="web", partition="0") == 0
    assert value(metrics, "consumer_position", topic="pos", partition="0") is None
    assert value(metrics, "consumer_position", topic="pos", partition="1") == 32


def test_a_reload_drops_the_series_of_removed_campaigns_and_shows_the_new_ones() -> None:
    metrics = Metrics(campaigns=["a", "b"])
    for name in ("a", "b"):
        metrics.router.routed(LANE, name, 1)
        metrics.lane(LANE).sealed(name, SealReason.FULL, 10)
    metrics.process.config_loaded("v2", ["b", "c"], application="surveys")
    assert value(metrics, "invitations_routed_total", lane=LANE, campaign="a") is None
    assert value(metrics, "batch_size_invitations_count", lane=LANE, campaign="a") is None
    assert value(metrics, "invitations_routed_total", lane=LANE, campaign="b") == 1
    for name in ("a", "b"):
        metrics.router.routed(LANE, name, 1)
    assert value(metrics, "invitations_routed_total", lane=LANE, campaign=OTHER) == 1
    assert value(metrics, "config_info", application="surveys", version="v2") == 1


def test_a_refused_reload_shows_until_the_config_on_disk_is_good_again() -> None:
    metrics = Metrics()
    metrics.process.config_loaded("v1", [])
    assert value(metrics, "config_reloads_total", result="refused") == 0
    metrics.process.config_reload("refused")
    assert value(metrics, "config_last_reload_successful") == 0
    metrics.process.config_reload("unchanged")
    assert value(metrics, "config_last_reload_successful") == 1
    assert value(metrics, "config_reloads_total", result="refused") == 1


def test_counters_that_alerts_watch_start_at_zero() -> None:
    """`increase()` does not see the step from no series to 1."""
    metrics = Metrics()
    metrics.lane(LANE).start()
    metrics.router.start_inputs(["pos"])
    assert value(metrics, "throttled_total", lane=LANE) == 0
    assert value(metrics, "in_doubt_batches_total", lane=LANE) == 0
    assert value(metrics, "other_config_invitations_total", lane=LANE) == 0
    assert value(metrics, "transactions_aborted_total", stage=LANE) == 0
    assert value(metrics, "results_total", lane=LANE, status="unknown", reason="no_answer") == 0
    dead = {"topic": "pos", "disposition": "dead_letter", "reason": "not_json"}
    assert value(metrics, "events_total", **dead) == 0
    expired = {"topic": "pos", "disposition": "expired", "reason": "too_old"}
    assert value(metrics, "events_total", **expired) == 0


def test_build_info_names_the_program_python_and_librdkafka() -> None:
    families = {family.name: family for family in Metrics().registry.collect()}
    (sample,) = families["survey_dispatcher_build"].samples
    assert sample.value == 1
    assert all(sample.labels[name] for name in ("version", "python", "librdkafka"))


def test_two_sets_of_metrics_share_nothing() -> None:
    one, two = Metrics(), Metrics()
    one.lane(LANE).throttled()
    assert value(two, "throttled_total", lane=LANE) is None


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "text/plain;version=0.0.4", "application/openmetrics-text;version=abc", "\x00,;="],
)
def test_a_scrape_is_plain_text_unless_openmetrics_is_asked_for(accept: str) -> None:
    metrics = Metrics(campaigns=["a"])
    feed_all(metrics, LANE, ["a"])
    body, content_type = metrics.render(accept)
    assert content_type.startswith("text/plain")
    names = {family.name for family in parse_text(body.decode())}
    assert "survey_dispatcher_calls" in names
    assert b"_created" not in body


def test_a_scrape_is_openmetrics_where_the_scraper_prefers_it() -> None:
    metrics = Metrics(campaigns=["a"])
    feed_all(metrics, LANE, ["a"])
    body, content_type = metrics.render(
        "application/openmetrics-text;version=1.0.0,text/plain;q=.5"
    )
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    families = parse_openmetrics(body.decode())  # type: ignore[no-untyped-call]  # theirs is untyped
    samples = {s.name for family in families for s in family.samples}
    assert "survey_dispatcher_throttled_total" in samples
    assert not [name for name in samples if name.endswith("_created")]


# -- exemplars ------------------------------------------------------------------------------------

TRACES = ["a" * 32, "b" * 32, "c" * 32]
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def shown_exemplars(body: bytes, name: str) -> dict[str, tuple[str, float, float]]:
    """Upper end of a bucket → trace, value and time of its exemplar."""
    return {
        sample.labels["le"]: (
            sample.exemplar.labels["trace_id"],
            sample.exemplar.value,
            float(sample.exemplar.timestamp or 0.0),
        )
        for family in parse_openmetrics(body.decode())  # type: ignore[no-untyped-call]
        for sample in family.samples
        if sample.name == f"survey_dispatcher_{name}_bucket" and sample.exemplar
    }


def test_a_bucket_shows_the_first_exemplar_of_its_newest_batch() -> None:
    metrics, name = Metrics(), "event_to_answer_seconds"
    first, second, third = TRACES
    lane = metrics.lane(LANE)
    lane.accepted([0.5, 70.0], [Exemplar(0.5, first, NOW), Exemplar(70.0, first, NOW)])
    lane.accepted([-1.0, 1.0], [Exemplar(-1.0, second, NOW + 9), Exemplar(1.0, third, NOW + 9)])
    lane.accepted([0.5])
    lane.call("pisano-tr", 200, 999.0, [Exemplar(999.0, third, NOW)])
    body, _ = metrics.render(OPEN_METRICS)
    assert shown_exemplars(body, name) == {
        "1.0": (second, 0.0, NOW + 9),
        "300.0": (first, 70.0, NOW),
    }
    assert shown_exemplars(body, "call_duration_seconds") == {"+Inf": (third, 999.0, NOW)}


def test_the_plain_format_shows_no_exemplar() -> None:
    metrics = Metrics()
    metrics.lane(LANE).call("pisano-tr", 200, 0.3, [Exemplar(0.3, TRACES[0], NOW)])
    body, _ = metrics.render()
    assert b"call_duration_seconds_bucket" in body
    assert TRACES[0].encode() not in body
