"""The base of all parts of the config."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from consumer.config.durations import duration_text


class Section(BaseModel):
    """What all parts of the config share: nothing unknown, nothing converted, nothing changed."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /
    ) -> dict[str, Any]:
        """Show the defaults of durations as a user would write them, and not as seconds."""
        schema = handler(core_schema)
        for field in handler.resolve_ref_schema(schema).get("properties", {}).values():
            if field.get("type") == "string" and isinstance(field.get("default"), float):
                field["default"] = duration_text(field["default"])
        return schema
