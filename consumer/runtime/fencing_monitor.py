"""Detects two processes that share a `transactional.id` and keep fencing each other.

Once is a takeover, or this process slept past its transaction's timeout. Again and again is a
mistake of the deployment, which nobody finds in "fenced" alone.
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
    """Counts how often each stage was fenced. A stage's thread alone asks about it."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._fenced_at: dict[str, deque[float]] = {}

    def uses(self, stage: str, transactional_id: str) -> None:
        """The stage's producer has this transactional id."""
        self._ids[stage] = transactional_id

    def found(self, stage: str, error: BaseException | None, now: float) -> str | None:
        """What to say when a session ended with `error`: `TIMES` fencings `WITHIN` seconds."""
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
    """Whether another producer with the same transactional id is at the bottom of it."""
    for each in causes(error):
        reason = each.args[0] if isinstance(each, KafkaException) else None
        if isinstance(reason, KafkaError) and reason.code() in _FENCED:
            return True
    return False
