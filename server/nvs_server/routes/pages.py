"""Pages for browsers: the web viewer, and the description of the API."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from starlette.responses import FileResponse, HTMLResponse
from starlette.staticfiles import StaticFiles

from nvs.api.system import Problem

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
async def page(path: str = "") -> FileResponse:
    """The viewer's page; it reads the rest of the address itself."""
    return FileResponse(VIEWER / "index.html", headers=HEADERS)


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


CDN = "https://cdn.jsdelivr.net"
PAGE = bytes(
    get_swagger_ui_html(
        openapi_url="/openapi.json", title="lact-nvs API", swagger_favicon_url="data:,"
    ).body
)
INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def _docs_policy() -> str:
    digests = (
        b64encode(sha256(script).digest()).decode()
        for script in INLINE_SCRIPT.findall(PAGE)
    )
    scripts = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {CDN} {scripts}; "
        f"style-src {CDN} 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'"
    )


DOCS_POLICY = _docs_policy()


@router.get("/docs")
async def docs() -> HTMLResponse:
    """The interactive description (Swagger UI, which the browser loads from a CDN)."""
    return HTMLResponse(PAGE, headers={"Content-Security-Policy": DOCS_POLICY})
