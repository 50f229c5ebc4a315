"""The pictures of the page that the documentation shows, taken anew.

    python -m trials.pictures docs/pictures

Starts the service with the weights that ship, uploads and builds the sample at 128²,
walks, and compares. Needs Chromium.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from nvs.assets import SAMPLE
from trials.load.service import service

WEBGL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
SIZE = {"width": 1280, "height": 800}
BUILD_MS = 300_000
MOTION_STEPS = 150


def main(folder: Path) -> None:
    """Write viewer-upload.png, viewer-walk.png and viewer-compare.png into a folder."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("There is no chromium on the path: install it.")
    with (
        service(weights="lact_small,lact_room", threads=2) as running,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", *WEBGL]
        )
        page = browser.new_page(viewport=SIZE, reduced_motion="reduce")
        page.goto(running.url)
        _upload(page)
        page.screenshot(path=folder / "viewer-upload.png")
        page.click("text=Build the scene")
        page.wait_for_selector(".upload-panel[data-step=ready]", timeout=BUILD_MS)
        page.click("text=Walk around")
        _settle(page)
        _move(page)
        page.screenshot(path=folder / "viewer-walk.png")
        _settle(page)
        page.keyboard.press("c")
        page.wait_for_selector(".compare[data-state=shown]")
        page.screenshot(path=folder / "viewer-compare.png")
        browser.close()


def _upload(page: Page) -> None:
    """Upload the sample, up to the choices of its build."""
    page.locator("input[webkitdirectory]").set_input_files(SAMPLE)
    page.get_by_label("Name").fill("hen")
    page.click(".upload-panel >> text=Upload")
    page.get_by_role("combobox", name="Picture size").select_option("128")
    page.wait_for_timeout(3000)


def _settle(page: Page) -> None:
    page.wait_for_selector(".chip[data-state=open]")
    page.wait_for_timeout(3000)


def _move(page: Page) -> None:
    """Drag to and fro for some seconds, so that the meters have something to say."""
    middle = (500, 420)
    page.mouse.move(*middle)
    page.mouse.down()
    for step in range(MOTION_STEPS):
        offset = 3 * (step if step < MOTION_STEPS / 2 else MOTION_STEPS - step)
        page.mouse.move(middle[0] + offset, middle[1] + offset / 4)
        page.wait_for_timeout(30)
    page.mouse.up()
    page.wait_for_timeout(600)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
