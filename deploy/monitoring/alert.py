"""What an alert is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ALERT_PREFIX = "SurveyDispatcher"
"""Before the name of each alert in Prometheus, so that a router of alerts can tell ours by it.
Runbooks, dashboards and this code call an alert by the name without it."""

RUNBOOKS = "deploy/runbooks"
"""Where runbooks are: a path of this repository. An installation names the address of its copy:
`monitoring.runbooks` of the chart, `--runbooks` of `python -m deploy.monitoring`."""

Severity = Literal["critical", "warning"]
"""`critical` is a page: surveys are not sent. `warning` is a ticket for working hours."""


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
    def full_name(self) -> str:
        """The alert's name in Prometheus."""
        return ALERT_PREFIX + self.name

    def runbook(self, runbooks: str) -> str:
        """Return the address of the page that says what it means and what to do."""
        return f"{runbooks}/{self.name}.md"
