"""Compiles the text of .proto files to their descriptors, by protoc (the extra `protoc`).

protoc runs as a process of its own: whatever a schema's text does to it, this program goes on. Of
its complaints only the first is kept, without the text that it quotes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Final

from consumer.errors import RegistryUnavailable
from consumer.routing.decoding.schemas.schema_book import SchemaError

MISSING: Final = (
    "a schema that is text, for which no compiler is installed: pip install "
    "'survey-dispatcher[protoc]', or name `descriptors` in the input"
)
CANNOT_RUN: Final = (
    "a schema that is text, which protoc could not compile here: it needs a folder TMPDIR"
)
_MEMORY: Final = "/dev/shm"  # noqa: S108 - the folder in it has a name of its own
"""Where files are written if it is there: a container's file system may be read only."""

_plain_path: Final = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*)*", re.ASCII).fullmatch
_SLOWEST: Final = 20.0
"""Seconds for one schema."""

_COMPILED: Final = "compiled.binpb"
_GIVEN: Final = "given.binpb"
_META: Final = "confluent/meta.proto"
_BUILT_IN: Final[Mapping[str, str]] = {
    _META: """syntax = "proto3";
package confluent;
import "google/protobuf/descriptor.proto";
message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }
extend google.protobuf.FileOptions { Meta file_meta = 1088; }
extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }
""",
    "confluent/type/decimal.proto": """syntax = "proto3";
package confluent.type;
message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }
""",
}
"""What Confluent's registry knows without a reference."""


def compile_texts(texts: Mapping[str, str], given: bytes = b"") -> bytes:
    """Return the FileDescriptorSet of files (path → text) and all that they import.

    `given`: the FileDescriptorSet of imports that have no text. Raises SchemaError, and
    RegistryUnavailable where this machine cannot compile: then the records are not at fault.
    """
    if find_spec("grpc_tools") is None:
        raise RegistryUnavailable(MISSING)
    try:
        return _compile(texts, given)
    except OSError as error:  # a file system that is read only, or no memory for a process
        raise RegistryUnavailable(f"{CANNOT_RUN} ({type(error).__name__})") from None
    except subprocess.TimeoutExpired:
        raise RegistryUnavailable(f"{CANNOT_RUN} (no end after {_SLOWEST:.0f} s)") from None


def _compile(texts: Mapping[str, str], given: bytes) -> bytes:
    place = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with TemporaryDirectory(prefix="protoc-", dir=place) as made:
        folder = Path(made)
        sources = folder / "sources"
        for path, text in {**_BUILT_IN, **texts}.items():
            file = sources / _checked(path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        if given:
            (folder / _GIVEN).write_bytes(given)
        return _run(folder, list(texts), with_given=bool(given))


def _checked(path: str) -> PurePosixPath:
    """Return the path of an import, which must lie below the folder of all."""
    if not _plain_path(path) or ".." in PurePosixPath(path).parts:
        raise SchemaError("has a reference whose name is no path of a file")
    return PurePosixPath(path)


def _run(folder: Path, paths: list[str], *, with_given: bool) -> bytes:
    options = ["-Isources", *_shared(), "--include_imports", f"--descriptor_set_out={_COMPILED}"]
    if with_given:
        options.append(f"--descriptor_set_in={_GIVEN}")
    command = [sys.executable, "-I", "-m", "grpc_tools.protoc", *options, *paths]
    done = subprocess.run(  # noqa: S603 - no shell, and all paths were checked
        command, cwd=folder, capture_output=True, timeout=_SLOWEST, check=False
    )
    compiled = folder / _COMPILED
    if done.returncode or not compiled.exists():
        raise SchemaError(f"is no valid Protobuf schema{_place(done.stderr)}")
    return compiled.read_bytes()


def _shared() -> list[str]:
    """Return the options for Google's common types (google/type/…), if they are installed."""
    found = find_spec("google.type")
    places = found.submodule_search_locations if found else None
    return [f"-I{Path(place).parents[1]}" for place in places or ()]


def _place(complaints: bytes) -> str:
    """Return where the first complaint is; what it says may quote the schema."""
    found = re.search(rb":(\d+):(\d+): ", complaints)
    return f": line {int(found[1])}, column {int(found[2])}" if found else ""
