"""Detects two processes that share a `transactional.id` and keep fencing each other.

One fencing is a takeover, or this process was suspended for longer than its transaction timeout.
Repeated fencing is an error of the deployment, which the message "fenced" alone does not reveal.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException

from consumer.errors import causes

TIMES = 3
WITHIN = 60.0

_FENCED = {
    KafkaError._FENCED,  # noqa: SLF001 - public by use
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
}


@dataclass(slots=True)
class FencingMonitor:
    """Counts how often one stage was fenced; `transactional_id`: of its producer."""

    transactional_id: str = ""
    _fenced_at: deque[float] = field(default_factory=lambda: deque(maxlen=TIMES))

    def diagnose(self, error: BaseException | None, now: float) -> str | None:
        """Record what ended a session; return a diagnosis after `TIMES` fencings in `WITHIN` s."""
        if not was_fenced(error):
            return None
        self._fenced_at.append(now)
        seconds = now - self._fenced_at[0]
        if len(self._fenced_at) < TIMES or seconds > WITHIN:
            return None
        return (
            f"another process uses transactional.id {self.transactional_id} too: {TIMES} times "
            f"fenced within {seconds:.0f} s. Are there two replicas with the same "
            "--instance, or two applications with one application_id? Give each its own"
        )


def was_fenced(error: BaseException | None) -> bool:
    """Return whether another producer with the same transactional id caused the error."""
    for cause in causes(error):
        reason = cause.args[0] if isinstance(cause, KafkaException) else None
        if isinstance(reason, KafkaError) and reason.code() in _FENCED:
            return True
    return False
