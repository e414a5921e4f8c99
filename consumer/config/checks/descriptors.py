"""Reads the files of inputs' `descriptors`, and looks for their messages."""

from __future__ import annotations

import hashlib
from pathlib import Path as FilePath

from consumer.config.checks.findings import Findings
from consumer.config.models import Config
from consumer.config.table_files import MOST_BYTES
from consumer.config.texts import UnfitTextError, read_bytes
from consumer.routing.decoding.schemas.schema_book import SchemaError


def read_descriptors(findings: Findings, base: FilePath) -> None:
    """Read the files whose keys are sound; relative paths count from `base`."""
    for name in findings.mapping("inputs"):
        here = ("inputs", name, "descriptors")
        file = findings.text(*here, "file")
        message = findings.text(*here, "message")
        if file and message:
            _read(findings, name, base / file, message)


def fill_descriptors(findings: Findings, config: Config) -> None:
    """Give the inputs of a config what was read."""
    for name, content in findings.descriptors.items():
        described = config.inputs[name].descriptors
        if described is not None:
            described.fill(content, hashlib.sha256(content).hexdigest())


def _read(findings: Findings, name: str, path: FilePath, message: str) -> None:
    # Imported here: the protobuf runtime takes 20 ms to load, and few configs need it.
    from consumer.routing.decoding.schemas.protobuf_file import described_message  # noqa: PLC0415

    place = ("inputs", name, "descriptors", "file")
    shown = findings.resolved.scrub(str(path))
    try:
        content = read_bytes(path, MOST_BYTES)
        described_message(content, message)
    except OSError as error:
        hint = "a relative path counts from the config's folder"
        findings.problem(place, f"the file {shown} cannot be read: {error.strerror}", hint)
    except UnfitTextError as error:
        findings.problem(place, f"the file {shown} {error}")
    except SchemaError as error:
        hint = "make it with protoc --include_imports --descriptor_set_out, or buf build"
        findings.problem(place, findings.resolved.scrub(f"the file {path} {error}"), hint)
    else:
        findings.descriptors[name] = content
        if len(content) > MOST_BYTES:
            findings.problem(place, f"the file {shown} has more than {MOST_BYTES} bytes")
