"""Planted defects that a review has proven on the program: each is how it was before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from confluent_kafka import TopicPartition

from consumer.errors import StartPositionError
from consumer.kafka import offset_metadata, start_offsets
from consumer.kafka.transaction_size import TransactionSize
from consumer.lane.account.campaign_breaker import CampaignBreaker
from consumer.lane.buffer.window import Window
from consumer.lane.settlement import fitness
from consumer.lane.state import pending
from consumer.runtime.delay import delay_loop
from consumer.runtime.delay.delay_loop import DelayStage
from consumer.runtime.router.router_loop import RouterStage
from consumer.vendors import answers, pisano
from consumer.vendors.answer_kinds import Kind, Row
from tests.simulation.planting import defect, rewritten


@defect
def redirect_means_not_invited() -> Iterator[None]:
    """A 303 or 302 after a POST is taken for trouble, and the call is made again."""
    row = Row(Kind.TROUBLE, "The vendor redirects.")
    with patch.dict(answers.HUNDREDS, {3: row}):
        yield


@defect
def former_inputs_are_not_registered() -> Iterator[None]:
    """The register is made of the present config: an input that left it is forgotten (R1)."""
    with (
        patch.object(start_offsets, "_left", lambda _reading: {}),
        patch.object(offset_metadata, "_entries", lambda _text: iter(())),
    ):
        yield


@defect
def page_is_a_success() -> Iterator[None]:
    """A 2xx is accepted, whether the vendor wrote it or a gateway with a page of its own."""
    with patch.object(pisano, "has_form", lambda _answer: True):
        yield


@defect
def forgotten_delays_are_read_again() -> Iterator[None]:
    """A delay topic without an offset is read from its start unless its log was trimmed."""

    def first(asker: Any, step: TopicPartition, *_: Any) -> int:
        return int(asker.get_watermark_offsets(step, timeout=10.0)[0])

    with (
        patch.object(delay_loop, "first_offset", first),
        rewritten(DelayStage, "_set_start_offsets", ("if fresh:", "if False:")),
    ):
        yield


@defect
def delayed_for_a_former_lane() -> Iterator[None]:
    """What waits on a delay topic goes back to its old lane, though its campaign has moved."""
    home = "self.services.config.homes.get(record.campaign, record.lane)"
    with rewritten(DelayStage, "_home", (home, "record.lane")):
        yield


@defect
def numbers_without_bounds() -> Iterator[None]:
    """A record of a lane is read by a parser that takes NaN and numbers of any size."""
    with patch.object(pending, "read_invitation", json.loads):
        yield


@defect
def changed_campaign_is_called_all_the_same() -> Iterator[None]:
    """A call is built for what waits, though its campaign has another channel by now."""
    with patch.object(fitness, "unfit", lambda *_: None):
        yield


@defect
def refused_customer_is_tried_for_ever() -> Iterator[None]:
    """A refusal is the account's: it waits, and its probe is the customer that waited longest."""
    with (
        patch.object(Window, "take_probe", lambda window, _rng: window.take(1)),
        patch.object(CampaignBreaker, "refused_again", lambda *_: False),
    ):
        yield


@defect
def lost_partition_stops_the_router() -> Iterator[None]:
    """One partition whose offset is out of range ends the router, with all other partitions."""

    def ends(*_: object) -> None:
        raise StartPositionError("a partition stands still, and all others with it")

    with patch.object(RouterStage, "stop_reading", ends):
        yield


@defect
def transactions_keep_their_size() -> Iterator[None]:
    """What Kafka aborted because it took too long is tried again as it was."""
    with (
        patch.object(TransactionSize, "_shrink", lambda *_: None),
        patch.object(TransactionSize, "_lengthen", lambda *_: None),
    ):
        yield
