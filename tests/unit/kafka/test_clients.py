"""What the Kafka clients say goes where all else is said."""

from __future__ import annotations

import logging

import structlog

from consumer.kafka.clients import KafkaClients


def test_librdkafka_speaks_in_lines_of_our_own_log() -> None:
    clients = KafkaClients({"bootstrap.servers": "127.0.0.1:1"})
    client = clients.consumer("group", lambda _error: None)
    with structlog.testing.capture_logs() as lines:
        logging.getLogger("librdkafka").critical("FATAL [thrd:main]: %s", "fenced")
        logging.getLogger("librdkafka").error("FAIL: %s", "refused")
        logging.getLogger("librdkafka").warning("it will mend this by itself")
    clients.close(client)
    assert lines == [
        {"event": "librdkafka", "log_level": "error", "says": "FATAL [thrd:main]: fenced"},
        {"event": "librdkafka", "log_level": "error", "says": "FAIL: refused"},
    ]
