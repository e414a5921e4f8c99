"""The exit code and the message of each error."""

from __future__ import annotations

import pytest

from consumer.errors import (
    BrokerUnreachable,
    ConfigError,
    DispatcherError,
    OperationError,
    Problem,
    StartPositionError,
    TopicsError,
)
from consumer.runtime.failures import ChildFailedError, explain

PHONE = "+90 555 111 22 33"
BAD = ConfigError([Problem("routing.yaml", 3, "admin", "no port")])


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        (BAD, "routing.yaml:3: admin: no port", 2),
        (BrokerUnreachable("no broker"), "no broker", 2),
        (OperationError("a lane runs"), "refused: a lane runs", 2),
        (TopicsError("t is missing"), "t is missing", 3),
        (StartPositionError("no position"), "no position", 4),
        (DispatcherError("port in use"), "port in use", 1),
        (ChildFailedError("t is missing", 3), "t is missing", 3),
        (ChildFailedError("", 1), "", 1),
    ],
)
def test_expected_error_is_its_message(error: Exception, message: str, code: int) -> None:
    assert explain(error) == (message, code)


def test_unforeseen_error_is_a_defect_told_without_its_text() -> None:
    try:
        int(PHONE)
    except ValueError as error:
        message, code = explain(error)
    assert code == 1
    assert message.endswith("ValueError: a defect, please report")
    assert "test_failures.py" in message
    assert "555" not in message
