"""Pages for browsers: the web viewer, and the description of the API."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from nvs.api.system import Problem
from nvs_server.edge.addresses import root_from

VIEWER = Path(__file__).parents[1] / "viewer"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
"""`no-cache`: kept by the browser, and asked for again with its ETag."""

router = APIRouter(include_in_schema=False)


@router.get("/")
@router.get("/scenes")
@router.get("/scenes/{path:path}")
def page(request: Request, path: str = "") -> HTMLResponse:
    """The viewer's page; it reads the rest of the address itself."""
    return _html("index.html", request)


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    """The interactive description (Swagger UI)."""
    return _html("docs.html", request)


def _html(name: str, request: Request) -> HTMLResponse:
    """A page whose addresses, written from the root as `./…`, are right where it is."""
    text = (VIEWER / name).read_text(encoding="utf-8")
    text = text.replace('="./', f'="{root_from(request.scope)}')
    return HTMLResponse(text, headers=HEADERS)


class ViewerFiles(StaticFiles):
    """The viewer's files, with its policy."""

    def file_response(self, *args: Any, **kwargs: Any) -> Any:
        """One file with the headers of the viewer."""
        response = super().file_response(*args, **kwargs)
        response.headers.update(HEADERS)
        return response


def mount(app: FastAPI) -> None:
    """Serve the viewer's files under /viewer."""
    app.mount("/viewer", ViewerFiles(directory=VIEWER, html=False), name="viewer")


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
        title=TITLE,
        version=VERSION,
        description=DESCRIPTION,
        routes=app.routes,
        servers=[{"url": "."}],
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
