"""The page that shows the API's description."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse

CDN = "https://cdn.jsdelivr.net"
PAGE = bytes(
    get_swagger_ui_html(
        openapi_url="/openapi.json", title="lact-nvs API", swagger_favicon_url="data:,"
    ).body
)
INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def _policy() -> str:
    digests = (
        b64encode(sha256(script).digest()).decode()
        for script in INLINE_SCRIPT.findall(PAGE)
    )
    scripts = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {CDN} {scripts}; "
        f"style-src {CDN} 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )


POLICY = _policy()
router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs() -> HTMLResponse:
    """The interactive description (Swagger UI, which the browser loads from a CDN)."""
    return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})
