"""The histogram fed by batches shows what the library's shows when fed value by value."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from threading import Thread

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import generate_latest

from consumer.observability.metrics.names import ANSWER_SECONDS, NAMESPACE, Gauge, Metric
from consumer.observability.metrics.names import Histogram as HistogramOf
from consumer.observability.metrics.series import MetricSeries

NAME = f"{NAMESPACE}_age_seconds"
BOUNDS = (0, 1, 60, 3600, 2_000_000)

# Many on a bucket's bound and just beside it, and of a clock that is ahead.
BESIDE = [second + by for second in ANSWER_SECONDS for by in (-1e-9, 0.0, 1e-9)]
AGES = st.floats(-100, 0) | st.floats(0, 1e9) | st.sampled_from(BESIDE)


def batched(bounds: tuple[float, ...] = BOUNDS) -> tuple[MetricSeries, CollectorRegistry]:
    series, registry = MetricSeries([of(bounds)]), CollectorRegistry()
    registry.register(series)
    return series, registry


def of(bounds: tuple[float, ...] = BOUNDS) -> Metric:
    return HistogramOf("age_seconds", "Ages", ("lane",), bounds)


def shown(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    """Sample name and label values → value."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


@given(batches=st.lists(st.tuples(st.sampled_from(["a", "b"]), st.lists(AGES))))
@example(batches=[("a", [])])
@example(batches=[("a", [60.0, -1.0, 0.0])])
def test_batches_make_the_series_of_their_values_one_by_one(
    batches: list[tuple[str, list[float]]],
) -> None:
    for bounds in (BOUNDS, ANSWER_SECONDS):
        naive_registry = CollectorRegistry()
        naive = Histogram(NAME, "Ages", ["lane"], registry=naive_registry, buckets=bounds)
        histogram, registry = batched(bounds)
        for lane, ages in batches:
            histogram.observe("age_seconds", iter(ages), lane)
            one_by_one = naive.labels(lane)
            for age in ages:
                one_by_one.observe(max(0.0, age))
        assert shown(registry) == pytest.approx(shown(naive_registry), rel=1e-9)


def test_a_scrape_reads_as_the_librarys() -> None:
    """Names of buckets (`2e+06`), their order, help and type: dashboards see no difference."""
    naive_registry = CollectorRegistry()
    naive = Histogram(NAME, "Ages", ["lane"], registry=naive_registry, buckets=BOUNDS)
    histogram, registry = batched()
    assert generate_latest(registry) == generate_latest(naive_registry)
    histogram.observe("age_seconds", [0.0, 60.0, 61.0], "a")
    for age in (0.0, 60.0, 61.0):
        naive.labels("a").observe(age)
    lines = [x for x in generate_latest(naive_registry).splitlines() if b"_created" not in x]
    assert generate_latest(registry).splitlines() == lines


@pytest.mark.parametrize("bounds", [(), (2, 1), (1, 1), (-1, 1)])
def test_bounds_that_do_not_ascend_from_0_are_refused(bounds: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="ascend"):
        batched(bounds)


def test_two_metrics_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two metrics are called age_seconds"):
        MetricSeries([of(), of()])


def test_a_histogram_has_bounds_and_no_other_metric_has() -> None:
    with pytest.raises(ValueError, match="ascend"):
        HistogramOf("age_seconds", "Ages", ("lane",))
    with pytest.raises(ValueError, match="ascend"):
        Gauge("age_seconds", "Ages", ("lane",), BOUNDS)


@pytest.fixture
def _threads_take_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_threads_take_turns_often")
def test_no_value_is_lost_between_threads_and_a_scrape_shows_whole_batches() -> None:
    histogram, registry = batched()

    def write(lane: str) -> None:
        for number in range(150):
            histogram.observe("age_seconds", (0.5, 2.0), "a")
            histogram.observe("age_seconds", (), f"{lane}-{number}")

    feeds = [Thread(target=write, args=(lane,)) for lane in "bcde"]
    for feed in feeds:
        feed.start()
    while any(feed.is_alive() for feed in feeds):
        seen = shown(registry)
        count = seen.get((f"{NAME}_count", "a"), 0)
        assert seen.get((f"{NAME}_sum", "a"), 0) == count / 2 * 2.5
        assert seen.get((f"{NAME}_bucket", "a", "1.0"), 0) == count / 2
    assert shown(registry)[f"{NAME}_count", "a"] == 1200
