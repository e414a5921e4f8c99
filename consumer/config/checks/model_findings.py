"""Findings of checks that run on the models, each at the place where its key is written."""

from __future__ import annotations

from dataclasses import dataclass, field

from consumer.config.document import Path, Source
from consumer.errors import Problem


@dataclass(slots=True)
class ModelFindings:
    """Problems and warnings about a config that is valid in itself."""

    source: Source
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def problem(self, path: Path, message: str, hint: str = "") -> None:
        """Record a problem, for which the config is refused."""
        self.problems.append(self.source.problem(path, message, hint))

    def warn(self, path: Path, message: str, hint: str = "") -> None:
        """Record a warning, for which the config is not refused."""
        self.warnings.append(self.source.problem(path, message, hint))

    def unique(self) -> tuple[list[Problem], list[Problem]]:
        """Return problems and warnings, each once: routes may share a policy."""
        return list(dict.fromkeys(self.problems)), list(dict.fromkeys(self.warnings))
