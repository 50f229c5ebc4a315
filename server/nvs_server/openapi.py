"""The description of the API at /openapi.json."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from nvs.api.system import Problem

TITLE = "lact-nvs"
VERSION = version("lact-nvs")
DESCRIPTION = (
    "Builds scenes from posed photographs and renders any camera from them. "
    "Errors are problem documents (RFC 9457)."
)
SCHEME = "apiKey"


def describe(app: FastAPI) -> None:
    """Give an application its description, made once when it is asked for."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _schema(app)
        return app.openapi_schema

    app.openapi = openapi


def _schema(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(
        title=TITLE, version=VERSION, description=DESCRIPTION, routes=app.routes
    )
    components: dict[str, Any] = schema.setdefault("components", {})
    schemas: dict[str, Any] = components.setdefault("schemas", {})
    template = "#/components/schemas/{model}"
    problem = Problem.model_json_schema(ref_template=template)
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["securitySchemes"] = {
        SCHEME: {
            "type": "http",
            "scheme": "bearer",
            "description": "`nvs_…`, from `nvs keys create`; "
            "not needed on a loopback server without keys.",
        }
    }
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            _drop_default_422(operation)
            if path.startswith("/v1/") or path == "/metrics":
                operation["security"] = [{SCHEME: []}, {}]
    return schema


def _drop_default_422(operation: dict[str, Any]) -> None:
    """Take out the framework's own error body, which this service never sends."""
    content = operation["responses"].get("422", {}).get("content", {})
    reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    if reference.endswith("HTTPValidationError"):
        del content["application/json"]
        if not content:
            del operation["responses"]["422"]
