"""A folder that is really dropped, as from a file manager."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page

from nvs.assets import SAMPLE
from tests.viewer.conftest import Fake


def test_a_dropped_folder_is_read_to_the_bottom(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.url)
    page.wait_for_selector(".drop-zone")
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(SAMPLE)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send(
            "Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 300, "data": data}
        )
    page.wait_for_selector(".upload-panel[data-step=confirm]")
    text = page.inner_text(".upload-panel")
    assert "24 images" in text
    assert "opencv_cameras.json" in text
    assert page.get_by_label("Name").input_value() == "sample"
