"""Detects two processes that share a `transactional.id` and keep fencing each other.

One fencing is a takeover, or this process was suspended for longer than its transaction timeout.
Repeated fencing is an error of the deployment, which the message "fenced" alone does not reveal.
"""

from __future__ import annotations

from collections import deque

from confluent_kafka import KafkaError, KafkaException

from consumer.errors import causes

TIMES = 3
WITHIN = 60.0

_FENCED = {
    KafkaError._FENCED,  # noqa: SLF001 - public by use
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
}


class FencingMonitor:
    """Counts how often each stage was fenced. Only a stage's own thread asks about that stage."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._fenced_at: dict[str, deque[float]] = {}

    def uses(self, stage: str, transactional_id: str) -> None:
        """Record the transactional id of the stage's producer."""
        self._ids[stage] = transactional_id

    def found(self, stage: str, error: BaseException | None, now: float) -> str | None:
        """Record the error that ended a session. Return a diagnosis after `TIMES` fencings
        `WITHIN` seconds."""
        if not was_fenced(error):
            return None
        times = self._fenced_at.setdefault(stage, deque(maxlen=TIMES))
        times.append(now)
        if len(times) < TIMES or now - times[0] > WITHIN:
            return None
        return (
            f"another process uses transactional.id {self._ids.get(stage)} too: {TIMES} times "
            f"fenced within {now - times[0]:.0f} s. Are there two replicas with the same "
            "--instance, or two applications with one application_id? Give each its own"
        )


def was_fenced(error: BaseException | None) -> bool:
    """Return whether another producer with the same transactional id caused the error."""
    for each in causes(error):
        reason = each.args[0] if isinstance(each, KafkaException) else None
        if isinstance(reason, KafkaError) and reason.code() in _FENCED:
            return True
    return False
