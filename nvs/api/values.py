"""What all bodies share: strict numbers, known fields only, immutable values."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, Strict

ID_PATTERN = r"^[a-z2-7]{26}$"
"""Ids of scenes and jobs: the base-32 of a random UUID, lower case."""

MAX_SIDE_PX = 2048
"""Longest side of an image that is built from or rendered."""

Number = Annotated[float, Strict()]
"""A finite JSON number; strings and booleans are refused."""
Integer = Annotated[int, Strict()]
"""A JSON integer; strings, booleans and 3.0 are refused."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 digest in hexadecimal."""
ObjectId = Annotated[str, Field(pattern=ID_PATTERN)]
"""Id of a scene or a job."""


class Schema(BaseModel):
    """A body: unknown fields, NaN and infinity are refused; instances never change."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        from_attributes=True,
        use_attribute_docstrings=True,
    )


def examples(*values: Any) -> ConfigDict:
    """Configuration of a schema with examples for the documentation."""
    return ConfigDict(json_schema_extra={"examples": list(values)})
