"""The page of all scenes: uploads, what is found in them, builds, and actions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.fakes.api import nerfstudio
from tests.fakes.proxy import Fault
from tests.viewer.conftest import Fake

IMAGE = "PUT .*?/images/.*"
FOLDER = "input[webkitdirectory]"
FILES = "input[type=file]:not([webkitdirectory])"


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Three images with cameras, one image without, and other files."""
    folder = tmp_path / "chair"
    (folder / "images").mkdir(parents=True)
    for index in range(4):
        Image.new("RGB", (8, 8), (60 * index, 0, 0)).save(
            folder / f"images/{index}.png"
        )
    cameras = nerfstudio(*(f"images/{index}.png" for index in range(3)))
    (folder / "transforms.json").write_text(json.dumps(cameras))
    (folder / "notes.txt").write_text("not an image")
    return folder


def uploads(fake: Fake) -> list[str]:
    return [one.line.partition("/images/")[2] for one in fake.sent(IMAGE)]


def step(page: Page, name: str) -> None:
    page.wait_for_selector(f".upload-panel[data-step={name}]")


def test_a_folder_becomes_a_scene(
    open_page: Callable[..., Page], fake: Fake, capture: Path
) -> None:
    page = open_page(fake.url)
    page.locator(FOLDER).set_input_files(capture)
    step(page, "confirm")
    text = page.inner_text(".upload-panel")
    assert "3 images" in text
    assert "1 image without a camera stay here" in text
    assert page.get_by_label("Name").input_value() == "chair"
    page.click(".upload-panel >> text=Upload")
    step(page, "choose")
    assert sorted(uploads(fake)) == [f"images/{i}.png" for i in range(3)]
    found = page.inner_text(".findings")
    picture = page.locator(".card", has_text="chair").locator(".card-picture img")
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("naturalWidth", 8)
    badge = page.locator(".finding .badge").bounding_box()
    assert badge is not None
    assert badge["height"] < 20, "one line, however long the finding beside it"
    for word in ("warning", "blurred", "Take it again.", "a.png"):
        assert word in found
    page.get_by_role("combobox", name="Weights").select_option("large")
    page.get_by_role("combobox", name="Picture size").select_option("128")
    page.locator("input[type=range]").fill("2")
    page.click("text=Build the scene")
    step(page, "ready")
    assert fake.sent("POST .*/build")[-1].json == {
        "weights": "large",
        "size": 128,
        "views": {"count": 2, "method": "kmeans"},
    }
    link = page.locator("text=Walk around")
    expect(link).to_have_attribute(
        "href", re.compile(f"^{fake.url}/scenes/[a-z2-7]{{26}}$")
    )


def test_a_lost_upload_goes_on_and_skips_what_is_there(
    open_page: Callable[..., Page], fake: Fake, capture: Path
) -> None:
    lost = {"status": 503, "headers": {"Retry-After": "1"}}
    fake.service.proxy.faults = [Fault(pattern=IMAGE, **lost)] * 2
    page = open_page(fake.url)
    page.locator(FOLDER).set_input_files(capture)
    page.click(".upload-panel >> text=Upload")
    page.wait_for_selector("text=Goes on in")
    step(page, "choose")
    assert len(uploads(fake)) == 5
    page.reload()
    page.click("[aria-label='Actions for chair']")
    with page.expect_file_chooser() as chosen:
        page.click("text=Add files")
    chosen.value.set_files(capture)
    page.click(".upload-panel >> text=Upload")
    step(page, "choose")
    assert len(uploads(fake)) == 5, "the server has these images already"


@pytest.mark.slow
def test_dropped_files_are_taken(
    open_page: Callable[..., Page], fake: Fake, capture: Path
) -> None:
    page = open_page(fake.url)
    page.wait_for_selector(".drop-zone")
    page.evaluate(
        """(text) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([text], 'transforms.json'));
            transfer.items.add(new File(['not really'], '1.png'));
            window.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer}));
        }""",
        (capture / "transforms.json").read_text(),
    )
    step(page, "confirm")
    assert "1 image," in page.inner_text(".upload-panel")


UNUSABLE = [
    ({"a.txt": "x"}, "There are no images in this.", "Images end in .jpg"),
    ({"a.png": "x", "b.png": "x"}, "no file with their cameras", "Drop 3 or more"),
    ({"a.png": "x", "transforms.json": "{"}, "is not JSON", "Export the cameras"),
    (
        {"a.png": "x", "transforms.json": '{"frames": [{"file_path": "b.png"}]}'},
        "names none of the 1 images",
        "for example, b.png",
    ),
]


def test_what_cannot_be_used_is_said(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.url)
    for files, problem, remedy in UNUSABLE:
        page.locator(FILES).set_input_files(
            [
                {"name": name, "mimeType": "", "buffer": text.encode()}
                for name, text in files.items()
            ]
        )
        step(page, "failed")
        text = page.inner_text(".upload-panel")
        assert problem in text
        assert remedy in text
        page.click(".upload-panel [title=Close]")


@pytest.mark.slow
def test_a_build_can_be_cancelled_and_a_failure_is_explained(
    open_page: Callable[..., Page], fake: Fake, capture: Path
) -> None:
    fake.service.hold("build")
    page = open_page(fake.url)
    page.locator(FOLDER).set_input_files(capture)
    page.click(".upload-panel >> text=Upload")
    page.click("text=Build the scene")
    page.wait_for_selector(".upload-panel >> text=prefill")
    page.click(".upload-panel >> text=Cancel")
    step(page, "choose")
    assert len(fake.sent("POST .*/cancel")) == 1
    fake.service.let_go("build")
    fake.fail()
    page.click("text=Build the scene")
    step(page, "failed")
    assert "The cameras disagree.\n\nPose them again." in page.inner_text(
        ".upload-panel"
    )


def test_rename_download_and_delete(open_page: Callable[..., Page], fake: Fake) -> None:
    page = open_page(fake.url)
    calls: list[tuple[str, Any]] = []
    page.on(
        "request", lambda request: calls.append((request.method, request.post_data))
    )
    card = page.locator(".card")
    expect(card).to_contain_text("96 × 64, 6 views")
    page.click("[aria-label='Actions for ring']")
    page.click("text=Rename")
    page.fill("dialog input", "bracelet")
    page.click("dialog >> text=Save")
    page.wait_for_selector("dialog", state="detached")
    page.click("[aria-label='Actions for bracelet']")
    with page.expect_download() as download:
        page.click("text=Download the scene file")
    stored = fake.service.call("GET", f"/v1/scenes/{fake.scene}/file").content
    assert Path(download.value.path()).read_bytes() == stored
    assert download.value.suggested_filename == "bracelet.scene"
    page.click("[aria-label='Actions for bracelet']")
    page.click(".menu-items >> text=Delete")
    assert "deleted for good" in page.inner_text("dialog")
    with page.expect_request(lambda request: request.method == "DELETE"):
        page.click("dialog .danger")
    assert ("PATCH", '{"name":"bracelet"}') in calls
