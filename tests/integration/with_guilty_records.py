"""The program with loops that some records make raise, where nothing foresees it.

`python -m tests.integration.with_guilty_records …` is `python -m consumer …`, but for records with
one of these marks in key or value.
"""

from __future__ import annotations

from typing import Any

from consumer.cli import main
from consumer.lane.lane import Lane
from consumer.lane.state.pending import PendingInvitation
from consumer.runtime.router.router_loop import RouterStage

ROUTED = b"guilty-when-routed"
READ = b"guilty-when-read"
TAKEN = b"guilty-when-taken-in"


def plant() -> None:
    """Let them raise."""
    record, read, arrived = RouterStage._record, PendingInvitation.read, Lane.arrived

    def bad_record(self: RouterStage, message: Any) -> Any:
        if message.key() == ROUTED:
            raise SystemError(f"cannot take {message.value()}")
        return record(self, message)

    def bad_read(offset: int, value: bytes, since: float) -> PendingInvitation:
        if READ in value:
            raise RecursionError(value)
        return read(offset, value, since)

    def bad_arrived(self: Lane, held: PendingInvitation, now: float) -> None:
        arrived(self, held, now)
        if TAKEN in held.value:  # it waits by now
            raise ZeroDivisionError(held.value)

    for holder, name, planted in (
        (RouterStage, "_record", bad_record),
        (PendingInvitation, "read", staticmethod(bad_read)),
        (Lane, "arrived", bad_arrived),
    ):
        setattr(holder, name, planted)


if __name__ == "__main__":
    plant()
    main.main()
