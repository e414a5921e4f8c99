"""Trace context: which trace an event belongs to, by W3C's Trace Context (level 1).

    traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
                 version, trace id, id of the parent span, flags (01: sampled)

Of the other headers of that standard nothing is carried: `tracestate` is a vendor's, and `baggage`
may hold anything of a customer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

HEADER: Final = "traceparent"

_FORM: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_LENGTH: Final = 55
_SAMPLED: Final = 1


def traceparent_in(headers: Sequence[tuple[str, bytes | None]]) -> str:
    """Return the trace context of a record's headers, the last one; empty without a valid one."""
    for name, content in reversed(headers):
        if name.lower() == HEADER and content is not None:
            return checked_traceparent(content[: _LENGTH + 1].decode("ascii", "replace"))
    return ""


def checked_traceparent(text: str) -> str:
    """Return a trace context, or an empty text if it is none. A later version's is cut to the part
    that this one knows."""
    known, more = text[:_LENGTH], text[_LENGTH:]
    later = not text.startswith("00-")
    fits = _FORM.fullmatch(known) and (not more or (later and more.startswith("-")))
    return known if fits else ""


def trace_id_of(traceparent: str) -> str:
    """Return the trace id of a trace context."""
    return traceparent[3:35]


def is_sampled(traceparent: str) -> bool:
    """Return whether the spans of a trace context are recorded."""
    return bool(traceparent) and bool(int(traceparent[-2:], 16) & _SAMPLED)
