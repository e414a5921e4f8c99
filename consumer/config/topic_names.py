"""The names of the program's own topics; `application_id` is their prefix.

docs/architecture.md, "Topics", says what each of them holds and which component writes it.
"""

from __future__ import annotations

from dataclasses import dataclass

TAILS = frozenset({"results", "dead-letters", "replayed"})
"""What follows the prefix in the names of topics that every application has."""

BRANCHES = frozenset({"invitations", "checkpoints", "delayed", "lane"})
"""What follows the prefix in names that go on with a lane's or a step's: of topics, and of groups
and transactional ids (`lane`)."""


def as_kafka(name: str) -> str:
    """What Kafka compares: it refuses a topic whose name differs from another in . and _ only."""
    return name.replace(".", "_")


@dataclass(frozen=True, slots=True)
class Topics:
    """Topic names of one application."""

    application_id: str

    def invitations(self, lane: str) -> str:
        """What the router writes and the lane's sender reads."""
        return f"{self.application_id}.invitations.{lane}"

    def checkpoints(self, lane: str) -> str:
        """The lane's whole state, compacted."""
        return f"{self.application_id}.checkpoints.{lane}"

    @property
    def results(self) -> str:
        """One final result per invitation."""
        return f"{self.application_id}.results"

    @property
    def dead_letters(self) -> str:
        """Records that could not be read, as they came."""
        return f"{self.application_id}.dead-letters"

    @property
    def replayed(self) -> str:
        """Dead letters that an operator gave back: the router reads them as what they were."""
        return f"{self.application_id}.replayed"

    @property
    def commands(self) -> str:
        """What operators tell the processes that run."""
        return f"{self.application_id}.commands"

    def delayed(self, step: str) -> str:
        """Invitations put off by a constant time (`1m`, `10m`, …): first in, first due."""
        return f"{self.application_id}.delayed.{step}"

    def owns(self, topic: str) -> bool:
        """Whether `topic` is, or may come to be, one of ours: an input must not read it."""
        return topic.startswith(f"{self.application_id}.")

    def hides(self, topic: str) -> bool:
        """Whether Kafka takes `topic` for one of ours, though it is written with _ for a dot."""
        rest = as_kafka(topic).removeprefix(as_kafka(f"{self.application_id}."))
        branches = tuple(f"{as_kafka(branch)}_" for branch in BRANCHES)
        known = rest in map(as_kafka, TAILS) or rest.startswith(branches)
        return rest != as_kafka(topic) and known
