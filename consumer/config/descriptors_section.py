"""The key `descriptors` of an input: Protobuf's schema from a file instead of the registry.

As with a table, the file's content belongs to the rules: its digest is dumped, its path is not.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PrivateAttr, computed_field

from consumer.config.fields import Text
from consumer.config.section import Section


class Descriptors(Section):
    """Descriptors of Protobuf's messages, made by protoc's --descriptor_set_out or buf build."""

    file: Annotated[Text, Field(exclude=True, examples=["image.binpb"])]
    """Path of the FileDescriptorSet with all imports, which counts from the config's folder."""
    message: Annotated[Text, Field(examples=["shop.Order"])]
    """The full name of the events' message."""

    _content: bytes = PrivateAttr(default=b"")
    _digest: str = PrivateAttr(default="")

    @computed_field(repr=False)  # type: ignore[prop-decorator]  # pydantic's own order
    @property
    def digest(self) -> str:
        """The digest of the file's content, "" while it is not read."""
        return self._digest

    @property
    def content(self) -> bytes:
        """The file's bytes, none while it is not read."""
        return self._content

    def fill(self, content: bytes, digest: str) -> None:
        """Keep what the file holds."""
        self._content, self._digest = content, digest
