"""What routing records makes: invitations, results, dead letters and counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from msgspec import Struct

from consumer.records.dead_letter import DeadLetter
from consumer.records.result import Result


class EncodedInvitation(Struct, frozen=True, gc=False):
    """An invitation ready for its lane's topic. `source`: the topic of its event. `due_at`: epoch
    seconds until which the delay topics keep it; 0: it is due."""

    lane: str
    campaign: str
    key: str
    value: bytes
    source: str
    due_at: float = 0.0


@dataclass(slots=True)
class Routed:
    """The outcome of a batch of records; counts are by (topic, disposition, reason). Those of
    invitations (`routed`) are counted at the batch's end."""

    invitations: list[EncodedInvitation] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def count_routed(self) -> None:
        """Count the invitations."""
        for topic, number in Counter([made.source for made in self.invitations]).items():
            self.counts[topic, "routed", ""] = number

    def forget(self, topic: str, invitations: int, results: int) -> None:
        """Drop what one record of `topic` made beyond so many invitations and results.

        A dead letter is routed as a whole when it is replayed: a part of it that was sent before
        would be sent twice.
        """
        for result in self.results[results:]:
            self.counts[topic, result["status"], result["reason"]] -= 1
        self.counts += Counter()  # drops zero counts
        del self.invitations[invitations:], self.results[results:]
