"""What a check found, and the run of all checks: at once, each for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from consumer.errors import DispatcherError, defect


class State(StrEnum):
    """How it stands: `run` works; works, but look at it; does not work; was not looked at."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "not checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One row. `check`: what was looked at; `found`: what is so; `remedy`: what to do, or empty.

    None of them holds a secret, an address of a customer or a vendor's body.
    """

    check: str
    state: State
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A check with its name. `look` may block, and may raise."""

    name: str
    look: Callable[[], Iterable[Finding]]


def run_checks(checks: Sequence[Check]) -> list[Finding]:
    """Run the checks at once; return their findings in the order of the checks."""
    with ThreadPoolExecutor(max_workers=max(1, len(checks)), thread_name_prefix="doctor") as pool:
        return [finding for found in pool.map(_run, checks) for finding in found]


def _run(check: Check) -> list[Finding]:
    """Run one check; an error is its last finding, and hides no other check's."""
    found: list[Finding] = []
    try:
        found.extend(check.look())
    except DispatcherError as error:
        found.append(Finding(check.name, State.FAILED, str(error)))
    except Exception as error:  # noqa: BLE001 - its own text may repeat a secret
        found.append(Finding(check.name, State.FAILED, f"a defect, please report: {defect(error)}"))
    return found
