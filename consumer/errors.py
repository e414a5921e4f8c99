"""Whose fault it is, and what to do.

    DispatcherError
    ├── ConfigError        the operator's: the config is refused, a running process keeps the old
    ├── TopicsError        the operator's: topics are missing or not as the program needs them
    ├── StartPositionError the operator's: nothing says where to begin, or the log has moved away
    ├── OperationError     the operator's: a command cannot be carried out; nothing was changed
    ├── BrokerUnreachable  the operator's: a command finds no broker where the config says
    ├── KafkaSessionError  Kafka's: the session ends, and starts again from what is committed
    ├── StoreUnavailable   the contact store's: invitations wait, nothing is sent unchecked
    │   ├── OffsetsForgotten  the store fell back behind the view, which reads it again
    │   └── StoreUnfit     the operator's: it never answers as it is; the message says what to mend
    ├── RegistryUnavailable  the schema registry's: the records that name a schema wait
    ├── UnreadableRecord   its writer: a dead letter, or a lane that stops and says so
    ├── EventError         upstream's: the record becomes a dead letter
    └── DataError          upstream's: the invitation becomes a `rejected` result

Errors of confluent-kafka and httpx are translated at the edge and never travel inwards.
No message carries a phone number, an address, a name, a token or a vendor's body.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consumer.records.dead_letter import DeadLetterReason
    from consumer.records.result import Reason


class DispatcherError(Exception):
    """Base of everything this program raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a config: where (file, line, path), what, and what was meant.

    `excerpt`: the line as it stands there, with a caret, where its form is what is wrong.
    """

    file: str
    line: int
    path: str
    message: str
    hint: str = ""
    excerpt: str = ""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        excerpt = f"\n{self.excerpt}" if self.excerpt else ""
        return f"{self.file}:{self.line}: {self.path}: {self.message}{hint}{excerpt}"


class ConfigError(DispatcherError):
    """The config is refused; `problems` lists all that is wrong, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class TopicsError(DispatcherError):
    """Topics are missing or unfit; the message says which command mends it."""


class StartPositionError(DispatcherError):
    """Nothing says where to begin, or the log and the checkpoint contradict each other."""


class OperationError(DispatcherError):
    """An operator's command cannot be carried out as given; nothing was changed."""


class BrokerUnreachable(DispatcherError):  # noqa: N818 - an answer to an operator, not a slip
    """No broker answers where the config says; the message names the address and what to check."""


class KafkaSessionError(DispatcherError):
    """A Kafka client is of no more use: drop all state, start again from what is committed."""


class StoreUnavailable(DispatcherError):  # noqa: N818 - what a store is, not a slip
    """The contact store does not answer, or grants nothing yet; the message repeats no address."""


class OffsetsForgotten(StoreUnavailable):
    """The contact store fell back behind what the view has settled: the view reads it again."""


class StoreUnfit(StoreUnavailable):
    """The contact store must not be used as it is set up; the message says what to mend."""


class RegistryUnavailable(DispatcherError):  # noqa: N818 - what a registry is, not a slip
    """The schema registry says nothing of a schema; the message repeats no address."""


class UnreadableRecord(DispatcherError, ValueError):  # noqa: N818 - what a record is, not a slip
    """A record of our own topics that this version cannot read; says where, and repeats nothing."""


class EventError(DispatcherError):
    """An input record that no route can read: it becomes a dead letter."""

    def __init__(self, reason: DeadLetterReason, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class DataError(DispatcherError):
    """An invitation that cannot be made: it becomes a `rejected` result with this reason.

    `fields`: names, as the config has them, of what is missing or unfit; never a value.
    """

    def __init__(self, reason: Reason, message: str, fields: Sequence[str] = ()) -> None:
        self.reason, self.fields = reason, fields
        super().__init__(message)


def raised_at(error: BaseException) -> str:
    """`file.py:line` of the innermost frame, for a log that must repeat no values."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "unknown"
    innermost = frames[-1]
    return f"{innermost.filename.rpartition('/')[2]}:{innermost.lineno}"


def defect(error: BaseException) -> str:
    """What a defect of ours says of itself: its type and its place, never its text."""
    return f"{type(error).__name__} at {raised_at(error)}"


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it, the last first, each once.

    A chain may be a ring: raising an error's cause while the error is handled makes one.
    """
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__
