"""Fixtures that every test may use: a real Kafka, shared or one's own. Marks by place and need."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.kafka import BorrowedBroker, KafkaBroker, StartBroker, broker_factory
from tests.support.valkey import StartValkey, ValkeyServer, valkey_factory

# A busy machine is no defect: nothing that a test says may depend on how long something takes.
settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("untimed")

KAFKA_FIXTURES = {"kafka", "kafka_factory", "module_kafka_factory"}
VALKEY_FIXTURES = {"start_valkey", "valkey_server"}

UNIT = Path(__file__).parent / "unit"
CORE_TESTS = [UNIT / core for core in ("lane", "policy", "routing", "vendors")]
"""The pure core's own tests: the quick ones alone are traced, and must reach all its branches."""


@pytest.hookimpl(tryfirst=True)  # before `-m "not kafka"` is applied
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use a server, and let the files of those with a broker run first.

    Workers take file by file, and the last ones should be short.
    """
    broker_files = set()
    for item in items:
        if KAFKA_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("kafka")
            broker_files.add(item.path)
        if VALKEY_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("valkey")
    items.sort(key=lambda item: item.path not in broker_files)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Pause coverage outside the core's own tests, and in deep ones: `make check` judges without.

    A simulation takes three times as long while it is traced, and a branch that only a simulation
    reaches has no test that says what it does. pytest-cov's mark `no_cover` has no effect in a
    worker of pytest-xdist: coverage is started there twice, and paused once.
    """
    of_core = any(item.path.is_relative_to(folder) for folder in CORE_TESTS)
    if of_core and not item.get_closest_marker("deep"):
        return (yield)
    here, in_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(here)
        threading.settrace(in_threads)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """The session's broker, shared: use `unique` names. `KAFKA_BOOTSTRAP` names another one."""
    if borrowed := os.environ.get("KAFKA_BOOTSTRAP"):
        yield BorrowedBroker(borrowed)
        return
    with broker_factory(tmp_path_factory.mktemp("kafka")) as start:
        yield start()


@pytest.fixture
def kafka_factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartBroker]:
    """Starts brokers that one test may stop, kill or freeze."""
    with broker_factory(tmp_path_factory.mktemp("kafka")) as start:
        yield start


@pytest.fixture(scope="module")
def module_kafka_factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartBroker]:
    """Starts brokers that the tests of one module may stop, kill or freeze."""
    with broker_factory(tmp_path_factory.mktemp("kafka")) as start:
        yield start


@pytest.fixture(scope="module")
def start_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartValkey]:
    """Starts Valkey servers, each with options of its own."""
    with valkey_factory(tmp_path_factory.mktemp("valkey")) as start:
        yield start


@pytest.fixture(scope="module")
def valkey_server(start_valkey: StartValkey) -> ValkeyServer:
    """A module's Valkey server, shared: use `unique` names of applications."""
    return start_valkey()
