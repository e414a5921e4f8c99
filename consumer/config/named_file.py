"""What a section knows of a file that it names and whose content belongs to the rules."""

from __future__ import annotations

from typing import Any

from pydantic import PrivateAttr, computed_field

from consumer.config.section import Section


class NamedFile(Section):
    """The content of a file, once a check has read it. The digest is dumped with the section, and
    so changes `config_version`; the path, which may differ between replicas, is not."""

    _content: Any = PrivateAttr(default=None)
    _digest: str = PrivateAttr(default="")

    @computed_field(repr=False)  # type: ignore[prop-decorator]  # pydantic's own order
    @property
    def digest(self) -> str:
        """The digest of the file's content, "" while it is not read."""
        return self._digest

    def fill(self, content: Any, digest: str) -> None:
        """Keep what the file holds."""
        self._content, self._digest = content, digest
