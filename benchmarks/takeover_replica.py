"""The parent's side of `benchmarks.takeover_member`: start a replica, signal it, read its lines."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.takeover_groups import Way
from tests.support.kafka import unique

Groups = Mapping[str, tuple[str, Way]]
"""Group → its topic and the way to be a member of it."""


class Replica:
    """A running member of all `groups`. Times are seconds of the monotonic clock."""

    def __init__(
        self, home: Path, bootstrap: str, instance: str, groups: Groups, stagger: float
    ) -> None:
        spec = home / unique(f"replica-{instance}")
        document = {
            group: {"topic": topic, "settings": way.client(bootstrap, instance)}
            for group, (topic, way) in groups.items()
        }
        spec.write_text(json.dumps({"stagger": stagger, "groups": document}))
        self._said = spec.with_suffix(".jsonl")
        command = [sys.executable, "-m", "benchmarks.takeover_member", str(spec)]
        with self._said.open("wb") as out:
            self._process = subprocess.Popen(command, stdout=out)

    def signal(self, number: signal.Signals) -> float:
        """Send it; the moment before."""
        before = time.monotonic()
        self._process.send_signal(number)
        return before

    def wait(self) -> None:
        """Until the process has ended by itself."""
        self._process.wait(60)

    def close(self) -> None:
        """End it however it is."""
        self._process.kill()
        self._process.wait()

    def owned(self) -> set[str]:
        """The groups whose lane it has now."""
        last = {group: event for _, group, event in self._all() if not event.startswith("error")}
        return {group for group, event in last.items() if event == "assigned"}

    def lines(self, group: str) -> list[tuple[float, str]]:
        """When it said what about its assignment in a group."""
        return [
            (at, event)
            for at, where, event in self._all()
            if where == group and not event.startswith("error")
        ]

    def assigned(self, group: str, after: float) -> float | None:
        """When it was first assigned the lane after a moment."""
        found = [at for at, event in self.lines(group) if event == "assigned" and at > after]
        return min(found, default=None)

    def told(self, after: float) -> dict[str, str]:
        """Group → the callback by which it first heard, after a moment, that its lane is gone."""
        found: dict[str, str] = {}
        for at, group, event in self._all():
            if at > after and event in {"revoked", "lost"}:
                found.setdefault(group, event)
        return found

    def errors(self, groups: Iterable[str]) -> list[str]:
        """Kafka's names of the errors in these groups."""
        wanted = set(groups)
        return [
            event.removeprefix("error ")
            for _, group, event in self._all()
            if group in wanted and event.startswith("error")
        ]

    def _all(self) -> list[tuple[float, str, str]]:
        whole = self._said.read_text().rpartition("\n")[0]
        lines = [json.loads(line) for line in whole.splitlines()]
        return [(line["at"], line["group"], line["event"]) for line in lines]
