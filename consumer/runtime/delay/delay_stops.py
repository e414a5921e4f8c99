"""Resumes a stopped delay topic after an operator's command or a committed offset.

A delay topic has one partition, so the group's member that has it executes the command itself. The
partitions of an input must resume together instead (`input_stops`).
"""

from __future__ import annotations

import structlog
from confluent_kafka import Consumer, Producer, TopicPartition

from consumer.kafka.queries import Partition, committed_offsets
from consumer.kafka.start_offsets import GroupMemory, delay_reading
from consumer.runtime.positions import membership, names
from consumer.runtime.router.input_stops import InputStops, decided

log = structlog.get_logger(__name__)


def goes_on(stops: InputStops, consumer: Consumer, producer: Producer) -> bool:
    """Commit offsets that operators decided. Return whether to rejoin to read a stopped topic.

    Raises KafkaSessionError.
    """
    run, stage = stops.run, stops.run.services
    now = stage.clock.now()
    if not stops.stopped or not stops.due(now):
        return False
    committed = _offsets(stops, consumer)
    steps = [topic for topic, _ in stops.stopped]
    reading = delay_reading(stage.topics, steps, stage.clients)
    memory = GroupMemory(committed, list(stops.stopped.values()))
    places = decided(stage.commands.current(now), consumer, memory, reading)
    if places:
        with run.transaction(producer):
            run.send_offsets(producer, places, membership(consumer))
        log.info("inputs_resumed", partitions=names(places))
        committed = _offsets(stops, consumer)
    return stops.any_mended(consumer, GroupMemory(committed, []))


def _offsets(stops: InputStops, consumer: Consumer) -> dict[Partition, TopicPartition]:
    return committed_offsets(consumer, [TopicPartition(*place) for place in stops.stopped])
