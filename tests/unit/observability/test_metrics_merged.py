"""One scrape of several processes."""

from __future__ import annotations

import math
import os
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from consumer.observability.metrics.exemplars import Exemplar
from consumer.observability.metrics.metrics import Metrics, render_merged
from consumer.observability.metrics.names import METRICS
from consumer.observability.metrics.process_tree import ProcessTree
from consumer.observability.metrics.series import Exported, MetricSeries

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def sent(metrics: Metrics) -> Exported:
    """What arrives of a process's series at another."""
    frame = msgspec.msgpack.encode({"answer": metrics.series.export()})
    return msgspec.convert(msgspec.msgpack.decode(frame)["answer"], Exported)


def merged(*processes: Metrics) -> MetricSeries:
    series = MetricSeries(METRICS)
    series.show_merged([sent(each) for each in processes])
    return series


def value(series: MetricSeries, name: str, *labels: str) -> float:
    return series.export().numbers[name][labels]


def test_counters_are_summed_and_series_of_one_process_stay() -> None:
    router, sender = Metrics(), Metrics()
    router.process.deletion_refused("t")
    sender.process.deletion_refused("t")
    sender.lane("eu").throttled()
    series = merged(router, sender)
    assert value(series, "deletions_refused_total", "t") == 2
    assert value(series, "throttled_total", "eu") == 1


def test_what_each_process_meets_is_counted_once() -> None:
    one, other = Metrics(), Metrics()
    for process in (one, other):
        process.process.command("lapsed")
        process.process.clock_stepped()
    series = merged(one, other)
    assert value(series, "operator_commands_total", "lapsed") == 1
    assert value(series, "clock_steps_total") == 1


def test_worst_of_the_gauges_is_shown() -> None:
    one, other = Metrics(), Metrics()
    one.process.broker(up=True)
    other.process.broker(up=False)
    one.process.clock_ahead(-3.0)
    other.process.clock_ahead(1.0)
    one.process.config_loaded("v1", [], application="surveys")
    other.process.config_loaded("v1", [], application="surveys")
    one.process.config_reload("refused")
    series = merged(one, other)
    assert value(series, "broker_up", "process") == 0
    assert value(series, "clock_ahead_seconds") == -3
    assert value(series, "config_last_reload_successful") == 0
    assert series.export().numbers["config"] == {("surveys", "v1"): 1}


def test_infinite_forecast_stays_infinite() -> None:
    sender = Metrics()
    sender.series.set("backlog_drain_seconds", math.inf, "eu")
    assert value(merged(Metrics(), sender), "backlog_drain_seconds", "eu") == math.inf


def test_histograms_are_summed_by_bucket() -> None:
    one, other = Metrics(), Metrics()
    for process, gaps in ((one, [0.05, 0.6]), (other, [100.0])):
        for gap in gaps:
            process.stage("router").polled(gap)
    counts, total, _ = merged(one, other).export().buckets["poll_gap_seconds"][("router",)]
    assert counts == [1, 1, 2, 2, 2, 2, 3, 3, 3]
    assert total == pytest.approx(100.65)


def test_newest_exemplar_of_a_bucket_is_shown() -> None:
    one, other = Metrics(), Metrics()
    old, new = Exemplar(0.3, "a" * 32, 100.0), Exemplar(0.4, "b" * 32, 200.0)
    slow = Exemplar(70.0, "c" * 32, 50.0)
    one.lane("eu").call("pisano", 200, 0.4, [new])
    other.lane("eu").call("pisano", 200, 0.3, [old])
    other.lane("eu").call("pisano", 200, 70.0, [slow])
    for processes in ((one, other), (other, one)):
        exported = merged(*processes).export().buckets["call_duration_seconds"]["eu",]
        assert sorted(exported[2].values(), key=lambda each: each.value) == [new, slow]
    body, _ = render_merged([sent(one), sent(other)], [os.getpid()], OPEN_METRICS)
    assert ("b" * 32).encode() in body


@pytest.mark.parametrize("accept", ["", OPEN_METRICS])
def test_same_names_and_types_as_of_one_process(accept: str) -> None:
    one, router, sender = Metrics(), Metrics(), Metrics()
    for process in (one, router):
        process.router.start_inputs(["pos"])
    for process in (one, sender):
        process.lane("eu").start()
    alone = one.render(accept)
    together = render_merged([sent(router), sent(sender)], [os.getpid()], accept)
    assert together[1] == alone[1]

    def shown(body: bytes) -> dict[str, Any]:
        families = text_string_to_metric_families(body.decode())
        return {
            family.name: (family.type, sorted(str(each.labels) for each in family.samples))
            for family in families
        }

    assert shown(together[0]) == shown(alone[0])


# -- CPU and memory -------------------------------------------------------------------------------


def tree(*pids: int) -> dict[str, float]:
    families = ProcessTree(pids).collect()
    return {
        each.name.removeprefix("survey_dispatcher_process_"): each.samples[0].value
        for each in families
    }


def test_cpu_and_memory_are_summed_and_the_start_is_the_first() -> None:
    one, two = tree(os.getpid()), tree(os.getpid(), os.getpid())
    assert two["cpu_seconds"] >= 2 * one["cpu_seconds"]
    assert two["resident_memory_bytes"] == pytest.approx(2 * one["resident_memory_bytes"], rel=0.2)
    assert two["start_time_seconds"] == one["start_time_seconds"]
    assert two["max_fds"] == one["max_fds"]


def test_process_that_ended_is_left_out() -> None:
    assert tree(os.getpid(), 2**22 + 1).keys() == tree(os.getpid()).keys()
    assert tree(2**22 + 1) == {}
