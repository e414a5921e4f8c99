"""Results for tests of `results`."""

from __future__ import annotations

from typing import Any, cast

from consumer.operations.results.columns import Found
from consumer.records.result import Reason, Result

WRITTEN = 1_795_357_600.0
"""2026-11-22T14:26:40Z."""


def made(reason: Reason = Reason.ACCEPTED, at: float = WRITTEN, **changes: Any) -> Found:
    """Return a result of this reason, with these fields changed or added."""
    result = {
        "version": 1,
        "id": "i1",
        "event_id": "e1",
        "status": reason.status,
        "reason": reason,
        "route": "store",
        "campaign": "purchase-sms",
        "vendor": "pisano",
        "channel": "sms",
        "batch": "b1",
        "attempt": 1,
        "http_status": 200,
        "vendor_code": "OK",
        "vendor_message": None,
        "recipient": "k1:p1",
        "event_time": "2026-11-22T14:00:00.000Z",
        "routed_at": "2026-11-22T14:00:01.000Z",
        "sent_at": "2026-11-22T14:26:39.000Z",
        "answered_at": "2026-11-22T14:26:40.000Z",
        "config_version": "c1",
        "source": {"topic": "pos", "partition": 2, "offset": 7},
        **changes,
    }
    return Found(cast("Result", result), at)
