"""The web viewer: static files under a strict Content-Security-Policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

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
        "frame-ancestors 'none'",
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
