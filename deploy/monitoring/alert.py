"""What an alert is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RUNBOOKS = "deploy/runbooks"
"""Where runbooks are: a path of this repository. An installation puts the address of its own copy
in front, as the chart does."""

Severity = Literal["critical", "warning"]
"""`critical`: surveys are not sent, page someone. `warning`: look at it in working hours."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert; `panel` is the title of the operations or manager panel that shows it.

    `what` is one line with what is wrong and where, `do` the first thing to do about it. Neither
    names anything but what stands in labels, which never hold personal data.
    """

    name: str
    severity: Severity
    expr: str
    what: str
    do: str
    panel: str
    wait: str = ""

    @property
    def runbook(self) -> str:
        """The file that says what it means and what to do."""
        return f"{RUNBOOKS}/{self.name}.md"
