"""Log lines as a machine reads them, and a person beside it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from consumer.observability.logs import library, logs
from tests.support.logs import restored_logging

PHONE, NAME = "+905321234567", "Canary Customer"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    with restored_logging():
        yield


class Log:
    """What was written to stderr, line by line."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def text(self) -> str:
        out, err = self._capsys.readouterr()
        assert out == ""
        return str(err)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Log:
    return Log(capsys)


def test_a_line_begins_with_when_how_bad_and_what(log: Log) -> None:
    logs.set_up()
    structlog.get_logger().info("call", lane="radar", customers=3)
    (line,) = log.lines()
    assert list(line) == ["timestamp", "level", "event", "lane", "customers"]
    assert (line["level"], line["event"], line["lane"]) == ("info", "call", "radar")


def test_events_that_another_process_logs_are_left_out(log: Log) -> None:
    logs.set_up()
    logs.leave_out({"stopping"})
    for event in ("stopping", "call"):
        structlog.get_logger().info(event)
    assert [line["event"] for line in log.lines()] == ["call"]


def test_what_is_below_the_level_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(logs.Level.WARNING)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["loud"]


def test_repeats_are_held_back(log: Log) -> None:
    logs.set_up()
    for offset in range(1000):
        structlog.get_logger().warning("invitation_of_later_version", lane="a", offset=offset)
    assert [line["offset"] for line in log.lines()] == [0]


def test_the_sum_of_repeats_is_told_at_the_end_of_the_process() -> None:
    program = (
        "import structlog; from consumer.observability.logs import logs; logs.set_up()\n"
        "for _ in range(5): structlog.get_logger().warning('again')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line.get("repeated") for line in lines] == [None, 4]


# -- libraries ------------------------------------------------------------------------------------


def test_what_libraries_log_is_a_line_with_their_level(log: Log) -> None:
    logs.set_up()
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("uvicorn.error").error("Cannot listen on %s", PHONE)
    told = [(line["level"], line["library"], line["says"]) for line in log.lines()]
    assert told == [
        ("warning", "uvicorn.error", "Invalid HTTP request received."),
        ("error", "uvicorn.error", "Cannot listen on %s"),
    ]


def test_below_warning_libraries_are_not_heard_whatever_our_level(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """httpcore logs headers at DEBUG, httpx URLs at INFO."""
    logs.set_up(logs.Level.DEBUG)
    logging.getLogger("httpcore.http11").debug("headers %s", PHONE)
    logging.getLogger("httpx").info("HTTP Request: POST %s", PHONE)
    structlog.get_logger().debug("ours")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["ours"]


def test_a_librarys_values_and_errors_stay_out_of_the_log(log: Log) -> None:
    """asyncio writes the repr of a task with its error into the sentence itself."""
    logs.set_up()

    def fail() -> None:
        raise ValueError(f"no {NAME} at {PHONE}")

    try:
        fail()
    except ValueError as error:
        sentence = f"Task exception was never retrieved\nfuture: <Task exception={error!r}>"
        logging.getLogger("asyncio").error(sentence, exc_info=error)
        logging.getLogger("asyncio").error(f"Exception in callback f({NAME!r})")  # noqa: G004
        logging.getLogger("any").error(f"no customer at {PHONE}")  # noqa: G004
    text = log.text()
    assert PHONE not in text
    assert NAME not in text
    first, second, third = map(json.loads, text.splitlines())
    assert first["says"] == "Task exception was never retrieved"
    assert first["error"] == "ValueError"
    assert first["where"].endswith(" fail")
    assert second["says"] == "Exception in callback f"
    assert third["says"] == "no customer at […]"


def test_a_thread_that_dies_is_a_line_without_its_message(log: Log) -> None:
    logs.set_up()

    def die() -> None:
        raise ValueError(PHONE)

    thread = threading.Thread(target=die, name="pisano")
    thread.start()
    thread.join()
    text = log.text()
    line = json.loads(text)
    assert (line["event"], line["thread"], line["error"]) == ("thread_died", "pisano", "ValueError")
    assert PHONE not in text


def test_what_fails_while_garbage_is_collected_is_a_line(log: Log) -> None:
    logs.set_up()

    class Ending:
        def __del__(self) -> None:
            raise ValueError(PHONE)

    Ending()
    text = log.text()
    assert json.loads(text)["event"] == "unraisable"
    assert PHONE not in text


# -- failures of the log itself -------------------------------------------------------------------


def test_an_event_that_cannot_be_written_as_a_line_does_no_harm(log: Log) -> None:
    logs.set_up()

    class Odd:
        def __str__(self) -> str:
            raise RuntimeError(PHONE)

        __repr__ = __str__

    structlog.get_logger().warning("call", batch="b1", odd=Odd())
    logging.getLogger("any").error(Odd())
    structlog.get_logger().info("after")
    told = [(line["event"], line.get("of")) for line in log.lines()]
    assert told == [("log_failed", "call"), ("after", None)]


def test_garbage_that_speaks_while_a_line_is_made_does_not_lock_the_log(log: Log) -> None:
    logs.set_up()

    class Speaking:
        def __repr__(self) -> str:
            structlog.get_logger().warning("inner")
            return "outer"

    structlog.get_logger().warning("call", batch="b1", value=Speaking())
    assert [line["event"] for line in log.lines()] == ["inner", "call"]


def test_a_full_disk_or_a_closed_stream_does_not_stop_the_program() -> None:
    program = (
        "import contextlib, structlog, sys\n"
        "from consumer.observability.logs import logs; logs.set_up()\n"
        "for n in range(100): structlog.get_logger().warning('x', batch=n)\n"
        "with contextlib.suppress(OSError): sys.stderr.close()  # what it buffers has no room\n"
        "structlog.get_logger().warning('closed'); print('went on')"
    )
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=full, check=False
        )
    assert (done.returncode, done.stdout) == (0, b"went on\n")


def test_the_place_of_an_error_names_module_line_and_function() -> None:
    with pytest.raises(ValueError, match="Expecting") as caught:
        json.loads("{")
    assert library.where(caught.tb).startswith("json.decoder:")
    assert library.where(None) == "unknown"
