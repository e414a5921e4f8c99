"""Liveness and readiness: the answers to an orchestrator's probes.

Alive: every registered loop has beaten within its allowed silence. Ready: every condition that the
process needs in order to work (its config, a broker, a group for each input) holds. A process
without a lane is ready, and a vendor's failure never makes it unready: a restart cures neither.

Thread-safe without a lock: each method makes single assignments of immutable values in plain dicts,
and readers iterate over a copy. The order of the assignments keeps a reader from seeing a loop
before its first beat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable


class Health:
    """Heartbeats and conditions. `clock` is monotonic, in seconds; `conditions` are the expected
    ones, unready until they are reported."""

    def __init__(self, clock: Callable[[], float], conditions: Iterable[str] = ()) -> None:
        self._clock = clock
        self._silence: dict[str, float] = {}
        self._beats: dict[str, float] = {}
        self._conditions: dict[str, str | None] = dict.fromkeys(conditions, "not reported yet")

    def register(self, name: str, max_silence: float) -> None:
        """Watch a loop from now on; `max_silence` in seconds."""
        self.beat(name)
        self._silence[name] = max_silence

    def unregister(self, name: str) -> None:
        """Stop watching a loop that ends on purpose (a lane was revoked)."""
        self._silence.pop(name, None)
        self._beats.pop(name, None)

    def beat(self, name: str) -> None:
        """Record a loop's heartbeat. A late beat of an unregistered loop does no harm."""
        self._beats[name] = self._clock()

    def alive(self) -> list[str]:
        """Return the problems: loops that were silent for longer than allowed."""
        now = self._clock()
        problems = []
        for name, allowed in self._silence.copy().items():
            silent = now - self._beats.get(name, now)
            if silent > allowed:
                problems.append(f"{name}: silent for {silent:.0f} s, {allowed:g} s are allowed")
        return problems

    def set_ready(self, name: str, ok: bool, why: str = "") -> None:
        """Report a condition (`config`, `broker`, `group:<topic>`); `why` is shown if not ok."""
        self._conditions[name] = None if ok else why or "not ready"

    def drop_condition(self, name: str) -> None:
        """Drop a condition that is not needed any more (a reload removed the input)."""
        self._conditions.pop(name, None)

    def ready(self) -> list[str]:
        """Return the problems: conditions that do not hold; to have no condition at all is one,
        too."""
        conditions = self._conditions.copy()
        if not conditions:
            return ["nothing has reported yet"]
        return [f"{name}: {why}" for name, why in conditions.items() if why is not None]
