"""The key `descriptors` of an input: Protobuf's schema from a file instead of the registry.

As with a table, the file's content belongs to the rules: its digest is dumped, its path is not.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PrivateAttr

from consumer.config.fields import Text
from consumer.config.named_file import NamedFile


class Descriptors(NamedFile):
    """Descriptors of Protobuf's messages, made by protoc's --descriptor_set_out or buf build."""

    file: Annotated[Text, Field(exclude=True, examples=["image.binpb"])]
    """Path of the FileDescriptorSet with all imports, which counts from the config's folder."""
    message: Annotated[Text, Field(examples=["shop.Order"])]
    """The full name of the events' message."""

    _content: bytes = PrivateAttr(default=b"")

    @property
    def content(self) -> bytes:
        """The file's bytes, none while it is not read."""
        return self._content
