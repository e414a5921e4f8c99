"""How a call failed, in a few words of ours: the `reason` of logs and status. Pure.

An answer of the vendor is told by its status and by what it means here, everything else by what
happened on the way. Each has words of its own, and no vendor's text is among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from consumer.records.call import Outcome, Verdict

FAILURES: Final[Mapping[str, str]] = {
    "timeout": "no answer in time",
    "reset": "connection closed before the answer",
    "stale": "too old to leave: nothing was sent",
    "defect": "no call could be built",
}
"""How a call failed without an answer, by the log's `answer`; of `connect_error` the connection's
own words (`connection_errors.NOT_REACHED`)."""


def reason_of(failure: str | None, not_reached: str | None, outcome: Outcome) -> str:
    """Return why a call was not accepted; empty if it was. `failure`: how it failed, None for an
    answered one; `not_reached`: why no connection was made."""
    status = outcome.http_status
    if failure is not None or status is None:
        return not_reached or FAILURES.get(failure or "defect", FAILURES["defect"])
    if outcome.verdict is Verdict.ACCEPTED:
        return ""
    if status >= 500:
        return f"vendor error HTTP {status}"
    return f"HTTP {status}: {_meaning(status, outcome)}"


def _meaning(status: int, outcome: Outcome) -> str:
    if outcome.throttled:
        return "too many calls"
    if outcome.parked:
        return "campaign not usable"
    if outcome.gateway:
        return "not the vendor's own answer"
    if outcome.refused or outcome.relogin:
        return "not allowed" if status == 403 else "token not accepted"
    if outcome.divisible:
        return "a recipient not accepted"
    return "no clear answer" if outcome.verdict is Verdict.IN_DOUBT else "call not accepted"
