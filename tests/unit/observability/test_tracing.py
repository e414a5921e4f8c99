"""Spans of sampled events: their names, how they hang together, and what they leave out."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from consumer.config.tracing_section import Tracing
from consumer.errors import OperationError
from consumer.http.calls import Answered
from consumer.lane.state.commands import Batch, SealReason
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.results import CallFacts, EndedInvitation
from consumer.observability.metrics.metrics import Metrics
from consumer.observability.tracing import MOST_LINKS, Spans
from consumer.records.call import Outcome, Verdict
from consumer.records.input_record import InputRecord, RecordEnvelope
from consumer.records.result import Reason
from consumer.runtime import tracing
from consumer.runtime.lane.lane_report import LaneReport
from consumer.runtime.lane.lane_traces import CALLS_KEPT, LaneTraces
from consumer.runtime.router.router_traces import RouterTraces
from tests.support.lanes import Driver, campaign, lane, settings, written

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"
NOW = 1_795_435_200.0
SMS = campaign("purchase-sms")


class Recorder:
    """Spans, and those that have ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.spans = Spans(provider)

    @property
    def ended(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    made = Recorder()
    yield made
    made.spans.close()


def message(traceparent: str = "", topic: str = "pos") -> Any:
    headers = [("traceparent", traceparent.encode()), ("baggage", b"customer=anna")]
    return SimpleNamespace(
        topic=lambda: topic, partition=lambda: 2, offset=lambda: 7, headers=lambda: headers
    )


def carried(traces: RouterTraces, traceparent: str, at: float = NOW) -> str:
    """The trace context that the results of a record with this one carry."""
    record = InputRecord("pos", 2, 7, b"{}")
    return traces.with_context(message(traceparent), record, at).traceparent


def pending(
    offset: int, traceparent: str = SAMPLED, age: float = 1.0, **more: object
) -> PendingInvitation:
    more |= {"traceparent": traceparent} if traceparent else {}
    return written(offset, "purchase-sms", data="", event_at=NOW - age, **more)


def answered(batch_id: str, invitations: list[PendingInvitation], **changes: Any) -> Answered:
    batch = Batch(batch_id, "purchase-sms", invitations, NOW, SealReason.FULL, SMS)
    outcome = Outcome(Verdict.ACCEPTED, 200)
    values: dict[str, Any] = {"sent_at": NOW + 1, "at": NOW + 2, "outcome": outcome, "label": "200"}
    return Answered(batch=batch, vendor="pisano", **values | changes)


def names(spans: list[ReadableSpan]) -> list[str]:
    return [span.name for span in spans]


def test_process_is_a_child_of_the_producers_span_and_its_context_is_carried(
    recorder: Recorder,
) -> None:
    traces = RouterTraces(recorder.spans, "surveys.router")
    first = carried(traces, SAMPLED)
    again = carried(traces, SAMPLED, NOW + 1)  # routed twice in one poll
    traces.committed([message()], NOW + 3)
    (span,) = recorder.ended
    assert span.name == "process pos"
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == TRACE
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == SPAN
    assert first == again == f"00-{TRACE}-{span.context.span_id:016x}-01"
    assert (span.start_time, span.end_time) == (int(NOW * 1e9), int((NOW + 3) * 1e9))
    attributes = dict(span.attributes or {})
    assert attributes["messaging.kafka.offset"] == 7
    assert "anna" not in str(attributes)


def test_records_that_are_not_sampled_have_no_span(recorder: Recorder) -> None:
    traces = RouterTraces(recorder.spans, "surveys.router")
    assert carried(traces, UNSAMPLED) == UNSAMPLED
    assert carried(traces, "none") == ""
    traces.committed([message()], NOW)
    assert recorder.ended == []


def test_context_is_carried_without_spans() -> None:
    traces = RouterTraces(None, "surveys.router")
    assert carried(traces, SAMPLED) == SAMPLED
    traces.committed([message()], NOW)


def test_replayed_record_keeps_the_context_that_it_first_had() -> None:
    former = RecordEnvelope(headers=[("traceparent", SAMPLED.encode())])
    record = InputRecord("pos", 2, 7, b"{}", lambda: former)
    replayed = message(UNSAMPLED, topic="surveys.replayed")
    made = RouterTraces(None, "surveys.router").with_context(replayed, record, NOW)
    assert (made.traceparent, made.read_envelope()) == (SAMPLED, former)


def test_poll_that_failed_leaves_no_span(recorder: Recorder) -> None:
    traces = RouterTraces(recorder.spans, "surveys.router")
    carried(traces, SAMPLED)
    traces.forget()
    traces.committed([message()], NOW)
    assert recorder.ended == []


def test_call_links_to_events_and_results_link_to_their_call(recorder: Recorder) -> None:
    traces = LaneTraces(recorder.spans, "cloud")
    some = [pending(1), pending(2, UNSAMPLED), pending(3, "")]
    event = answered("b1", some)
    traces.answered(event)
    facts = CallFacts.from_call("b1", event.outcome, NOW, NOW + 2)
    ended = [EndedInvitation(one, Reason.ACCEPTED, SMS, attempt=1, facts=facts) for one in some]
    traces.committed(ended, NOW + 4)
    call, settled = recorder.ended
    assert (call.name, settled.name) == ("send purchase-sms", "settle")
    assert call.parent is None
    assert [f"{link.context.trace_id:032x}" for link in call.links] == [TRACE]
    assert call.context is not None
    assert [link.context.span_id for link in settled.links] == [call.context.span_id]
    assert settled.parent is not None
    assert f"{settled.parent.span_id:016x}" == SPAN
    attributes = dict(settled.attributes or {})
    assert attributes["survey.reason"] == "accepted"
    assert dict(call.attributes or {})["messaging.batch.message_count"] == 3


def test_call_links_to_no_more_events_than_a_span_may(recorder: Recorder) -> None:
    traces = LaneTraces(recorder.spans, "cloud")
    traces.answered(answered("b1", [pending(offset) for offset in range(MOST_LINKS + 5)]))
    assert len(recorder.ended[0].links) == MOST_LINKS


def test_call_that_was_not_accepted_is_an_error(recorder: Recorder) -> None:
    LaneTraces(recorder.spans, "cloud").answered(
        answered("b1", [pending(1)], outcome=Outcome(Verdict.IN_DOUBT), label="timeout")
    )
    assert recorder.ended[0].status.is_ok is False


def test_calls_without_a_sampled_event_or_without_a_byte_have_no_span(recorder: Recorder) -> None:
    traces = LaneTraces(recorder.spans, "cloud")
    traces.answered(answered("b1", [pending(1, UNSAMPLED)]))
    traces.answered(answered("b2", [pending(1)], sent_at=None))
    assert recorder.ended == []


def test_memory_of_calls_is_bounded(recorder: Recorder) -> None:
    traces = LaneTraces(recorder.spans, "cloud")
    for number in range(CALLS_KEPT + 3):
        traces.answered(answered(f"b{number}", [pending(1)]))
    facts = CallFacts(batch="b0")
    traces.committed([EndedInvitation(pending(1), Reason.ACCEPTED, None, 1, facts)], NOW)
    assert list(recorder.ended[-1].links) == []


def test_without_spans_a_lane_records_nothing() -> None:
    traces = LaneTraces(None, "cloud")
    traces.answered(answered("b1", [pending(1)]))
    traces.committed([EndedInvitation(pending(1), Reason.TOO_OLD, None, 0)], NOW)


def exemplars_of_a_call(traces: LaneTraces, *some: PendingInvitation) -> dict[str, set[str]]:
    """Histogram → traces of its exemplars, after an accepted call with these invitations."""
    metrics, driver = Metrics(), Driver(lane(settings(SMS)))
    driver.read(pending(99))
    event = answered("b1", list(some))
    LaneReport(driver.lane, metrics.lane("cloud"), traces).answered(event, 0.1)
    buckets = metrics.series.export().buckets
    return {
        name: {one.trace_id for each in buckets[name].values() for one in each[2].values()}
        for name in ("call_duration_seconds", "event_to_answer_seconds")
    }


def test_exemplars_are_the_first_sampled_event_of_a_call_and_of_each_age() -> None:
    others = [f"{number:032x}" for number in range(1, 4)]
    young, later, old = (
        pending(number, f"00-{trace}-{SPAN}-01", age)
        for number, trace, age in zip(range(3), others, (1, 1, 7200), strict=True)
    )
    unsampled, waited = pending(7, UNSAMPLED), pending(8, SAMPLED, 1, waits_for="texts")
    traces = LaneTraces(None, "cloud", carried=True)
    found = exemplars_of_a_call(traces, unsampled, young, later, old, waited)
    assert found["call_duration_seconds"] == {others[0]}
    assert found["event_to_answer_seconds"] == {others[0], others[2]}


@pytest.mark.parametrize("traced", [False, True])
def test_no_exemplar_without_tracing_or_of_an_event_that_is_not_sampled(*, traced: bool) -> None:
    traces = LaneTraces(None, "cloud", carried=traced)
    some = [pending(1, UNSAMPLED), pending(2, "")] if traced else [pending(1, SAMPLED)]
    assert set(map(len, exemplars_of_a_call(traces, *some).values())) == {0}


def test_spans_without_their_extra_are_refused_with_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracing, "NEEDED", ("no_such_package.sdk",))
    with pytest.raises(OperationError, match=r"pip install 'survey-dispatcher\[tracing\]'"):
        tracing.start_tracing(Tracing(spans=True), "0")


def test_without_spans_contexts_alone_are_carried() -> None:
    assert tracing.start_tracing(None, "0") == tracing.ProcessTracing()
    started = tracing.start_tracing(Tracing(), "0")
    assert started == tracing.ProcessTracing(carried=True)
    started.close()


def test_own_variables_name_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator's name of the service wins over ours."""
    for said, expected in ((None, "survey-dispatcher"), ("surveys-tr", "surveys-tr")):
        if said:
            monkeypatch.setenv("OTEL_SERVICE_NAME", said)
        started = tracing.start_tracing(Tracing(spans=True), "pod-1")
        assert started.spans is not None
        resource = cast("TracerProvider", started.spans._provider).resource.attributes
        assert resource["service.name"] == expected
        assert resource["service.instance.id"] == "pod-1"
        started.close()
