"""`pause` and `resume`: write what is paused by command, for the running processes and the next."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence

from consumer.errors import OperationError
from consumer.kafka.queries import topic_names
from consumer.kafka.records.pauses import PauseTable, dump
from consumer.kafka.topics import pauses_topic, problems
from consumer.observability.status.pauses import pauses_by_command, pauses_of_config
from consumer.observability.status.status import PauseStatus
from consumer.operations.access import Access
from consumer.records.pause import WHY_LIMIT, Pausable, Pause, PauseKind


def is_reason(text: str) -> bool:
    """Return whether an operator's reason fits a record."""
    return 0 < len(text.strip()) <= WHY_LIMIT


def look(access: Access) -> list[PauseStatus]:
    """Return what is paused, by command and by this config."""
    return [*pauses_by_command(_read(access)), *pauses_of_config(access.config)]


def pause(access: Access, thing: Pausable, why: str | None) -> None:
    """Pause it for all processes. Raises OperationError."""
    known = _known(access, thing.kind)
    if thing.name not in known:
        there = ", ".join(known)
        raise OperationError(f"{thing.text} is not in this config; {thing.kind}s: {there}")
    _refuse_unfit_topic(access)
    _write(access, thing, paused=True, why=why and why.strip())


def resume(access: Access, thing: Pausable) -> list[PauseStatus]:
    """End the pause by command for all processes. Return what is paused still. Raises
    OperationError if no command paused it."""
    found = look(access)
    same = [paused for paused in found if (paused.kind, paused.name) == thing]
    if not any(paused.by_command for paused in same):
        config = "; the config pauses it (`paused: true`): change the config" if same else ""
        raise OperationError(f"no command paused {thing.text}{config}")
    _write(access, thing, paused=False)
    return [paused for paused in found if paused not in same or not paused.by_command]


def _known(access: Access, kind: PauseKind) -> Collection[str]:
    config = access.config
    names: dict[PauseKind, Collection[str]] = {
        PauseKind.ROUTE: [route.name for route in config.routes],
        PauseKind.CAMPAIGN: list(config.called),
        PauseKind.VENDOR: list(config.vendors),
        PauseKind.EVERYTHING: [""],
    }
    return names[kind]


def _read(access: Access) -> Sequence[Pause]:
    topic, table = access.topics.pauses, PauseTable()
    if topic in topic_names(access.admin, topic):
        with access.reader() as reader:
            for record in access.everything(reader, [topic]):
                table.take(record)
    return table.paused()


def _refuse_unfit_topic(access: Access) -> None:
    """Refuse to pause in a topic that would forget the pause. A missing one is refused later."""
    topic = access.topics.pauses
    if topic in topic_names(access.admin, topic):
        found = problems(access.admin, [pauses_topic(topic)], [])
        if found:
            raise OperationError("; ".join(found) + ": it would forget the pause")


def _write(access: Access, thing: Pausable, *, paused: bool, why: str | None = None) -> None:
    record = Pause(**thing._asdict(), paused=paused, at=access.now(), why=why)
    name = f"operator.{uuid.uuid4().hex}"
    access.write_one(access.topics.pauses, thing.key, dump(record), name)
