"""What the double received and accepted: the reference that a checker compares results with.

Totals and the counts per recipient are complete; the log of single calls keeps the last
`LOG_LENGTH`. So memory grows only with the number of distinct accepted recipients.
"""

from __future__ import annotations

from collections import Counter, deque
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from typing_extensions import TypedDict

from consumer.sandbox.wire import Received, Reply

LOG_LENGTH = 10_000


class Entry(TypedDict):
    """One call, without its recipients. `status` is None if no answer was shown.

    `time`: epoch seconds. `fault`: the kind of fault that was shown. `accepted`: the call was
    carried out, whatever its answer. `login`: a login was attempted, successful or not.
    """

    time: float
    vendor: str
    path: str
    status: int | None
    code: str | None
    campaign: str | None
    recipients: int
    accepted: bool
    throttled: bool
    login: bool
    fault: str | None


class Journal:
    """Counts all calls. Used by one event loop, so it takes no locks.

    `accepted`: campaign → recipient → how often a call with it was carried out. An entry of
    Customer Radar is counted under its mobile, or its e-mail if it has no mobile.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._path = file
        self._file: BinaryIO | None = None
        self.clear()

    def clear(self) -> None:
        """Forget everything in memory; the file is kept."""
        self.log: deque[Entry] = deque(maxlen=LOG_LENGTH)
        self.accepted: dict[str, Counter[str]] = {}
        self._totals: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._taken: Counter[str] = Counter()
        self._max_batch = 0
        self._first: float | None = None
        self._last: float | None = None

    def add(
        self,
        vendor: str,
        request: Received,
        reply: Reply,
        *,
        throttled: bool = False,
        fault: str | None = None,
    ) -> None:
        """Record one call, in the order of arrival; `reply.status` 0 stands for no answer."""
        entry = Entry(
            time=request.at,
            vendor=vendor,
            path=request.path[:200],
            status=reply.status or None,
            code=reply.code,
            campaign=reply.campaign,
            recipients=len(reply.recipients),
            accepted=reply.accepted,
            throttled=throttled,
            login=vendor == "radar" and request.path == "/auth/login",
            fault=fault,
        )
        self._write_line(entry, reply)
        self.log.append(entry)
        self._count_call(entry)
        if reply.accepted and reply.campaign is not None:
            self._count_recipients(reply.campaign, reply.recipients)

    def _write_line(self, entry: Entry, reply: Reply) -> None:
        """Write one line a call before the answer is sent, so that a killed double loses none."""
        if self._path is None:
            return
        if self._file is None:
            self._file = self._path.open("ab")
        line = {**entry, "recipients": reply.recipients}
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        self._file.flush()

    def _count_call(self, entry: Entry) -> None:
        self._totals["calls"] += 1
        self._totals["throttled"] += entry["throttled"]
        self._totals["logins"] += entry["login"]
        self._statuses["no answer" if entry["status"] is None else str(entry["status"])] += 1
        self._first = entry["time"] if self._first is None else min(self._first, entry["time"])
        self._last = entry["time"] if self._last is None else max(self._last, entry["time"])

    def _count_recipients(self, campaign: str, recipients: tuple[str, ...]) -> None:
        self._calls[campaign] += 1
        self._taken[campaign] += len(recipients)
        self._max_batch = max(self._max_batch, len(recipients))
        times = self.accepted.setdefault(campaign, Counter())
        before, repeated = len(times), 0
        for recipient in recipients:
            times[recipient] += 1
            repeated += times[recipient] == 2
        self._totals["distinct"] += len(times) - before
        self._totals["repeated"] += repeated

    def summary(self) -> dict[str, Any]:
        """Return the totals, without any recipient in clear.

        `distinct_recipients` counts a recipient once per campaign, so it equals
        `accepted_recipients` exactly if no recipient was accepted twice within a campaign;
        `repeated` counts recipients that were. `by_campaign`, `max_batch` and `customers_per_call`
        are about accepted calls. `first_call` and `last_call` are epoch seconds.
        """
        calls, taken = self._calls.total(), self._taken.total()
        return {
            "calls": self._totals["calls"],
            "accepted_calls": calls,
            "throttled": self._totals["throttled"],
            "logins": self._totals["logins"],
            "accepted_recipients": taken,
            "distinct_recipients": self._totals["distinct"],
            "repeated": self._totals["repeated"],
            "by_campaign": {
                campaign: {"calls": self._calls[campaign], "recipients": self._taken[campaign]}
                for campaign in sorted(self._calls)
            },
            "by_status": dict(sorted(self._statuses.items())),
            "max_batch": self._max_batch,
            "customers_per_call": taken / calls if calls else 0.0,
            "first_call": self._first,
            "last_call": self._last,
        }

    def recent(self, limit: int) -> list[Entry]:
        """Return the last calls, newest first."""
        return list(islice(reversed(self.log), limit))

    def close(self) -> None:
        """Close the file; a later call opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None
