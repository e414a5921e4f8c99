"""Settings of memory management."""

from __future__ import annotations

import ctypes
import platform
import resource
from collections.abc import Iterator

import pytest

from consumer.runtime.memory import keep_freed_memory


def faults_of_polls() -> int:
    """Page faults while the values of polls come and go."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(80):
        values = [bytes(600) for _ in range(15_000)]
        del values
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.fixture
def as_by_default() -> Iterator[None]:
    yield
    ctypes.CDLL(None).mallopt(-1, 128 * 1024)
    ctypes.CDLL(None).mallopt(-3, 128 * 1024)
    ctypes.CDLL(None).mallopt(-8, 0)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is of the GNU C library")
@pytest.mark.usefixtures("as_by_default")
def test_values_of_the_next_poll_take_the_memory_of_the_last() -> None:
    keep_freed_memory()
    faults_of_polls()
    assert faults_of_polls() < 20_000, "each poll faulted its memory in again"


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def library(_name: None) -> object:
        return object()

    monkeypatch.setattr("ctypes.CDLL", library)
    keep_freed_memory()
