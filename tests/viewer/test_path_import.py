"""Files that look like camera paths and are none leave the present keys alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.viewer.conftest import Fake, settled

FRAME = {
    "world_from_camera": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
    "fx": 8,
    "fy": 8,
    "cx": 4,
    "cy": 4,
}
PATH = {
    "format": "lact-nvs camera path",
    "version": 1,
    "fps": 30,
    "height": 8,
    "width": 8,
    "frames": [FRAME],
}
READ = """async (text) => {
    const { pathOfText } = await import('/viewer/js/paths/path-json.js');
    try {
        return {read: pathOfText(text, {aspect: 1, radius: 1})};
    } catch (error) {
        return {message: error.message};
    }
}"""


def edited(*seconds: Any, **others: Any) -> dict[str, Any]:
    """A path with keys at these times."""
    keys = [FRAME | {"seconds": time} for time in seconds]
    return PATH | {"editor": {"keys": keys, "closing_seconds": 2} | others}


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in PATH.items() if name != key}


NERFSTUDIO = {
    "fps": 30,
    "camera_path": [
        {
            "camera_to_world": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
            "fov": 180,
        }
    ],
}
BAD = [
    (json.dumps(without("height")), "height is undefined"),
    (json.dumps(PATH | {"width": 0}), "width is 0"),
    (json.dumps(PATH | {"fps": "fast"}), "fps is fast"),
    (json.dumps(PATH).replace('"fps": 30', '"fps": 1e999'), "fps is Infinity"),
    (json.dumps(PATH | {"frames": [None]}), "Frame 0 has no 4 × 4 pose"),
    (json.dumps(edited(0, 2, 2)), "Key 2 is at 2 seconds"),
    (json.dumps(edited(1, 2)), "Key 0 is at 1 seconds"),
    (json.dumps(edited(0, None)), "Key 1 is at null seconds"),
    (json.dumps(edited(0, 1, closing_seconds=-1)), "closing_seconds is -1"),
    (json.dumps(NERFSTUDIO), "fov of frame 0 is 180"),
]


def test_what_is_wrong_is_said(open_page: Callable[..., Page], fake: Fake) -> None:
    page = open_page(fake.url)
    for text, message in BAD:
        assert message in page.evaluate(READ, text).get("message", ""), message
    for good in (PATH, edited(0, 1, 2.5), edited(0)):
        assert "read" in page.evaluate(READ, json.dumps(good))


def test_the_camera_that_the_page_copies_is_a_path(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.url)
    copied = page.evaluate(
        """async ([frame, size]) => {
            const { cameraJson } = await import('/viewer/js/walk/share.js');
            const { lensOfCamera } = await import('/viewer/js/cameras/lens.js');
            const lens = lensOfCamera(frame, size.height, size.width);
            const now = {pose: frame.world_from_camera, lens};
            return cameraJson({now, ...now}, size);
        }""",
        [FRAME, {"height": 8, "width": 8}],
    )
    assert json.loads(copied) == FRAME | {"height": 8, "width": 8}
    read = page.evaluate(READ, copied)["read"]
    of_path = page.evaluate(READ, json.dumps(PATH))["read"]
    assert read == of_path


@pytest.mark.slow
def test_present_keys_stay(open_page: Callable[..., Page], fake: Fake) -> None:
    page = open_page(fake.scene_url)
    settled(page)
    page.keyboard.press("k")
    text = json.dumps(edited(0, 3, 1))
    file = {"name": "path.json", "mimeType": "", "buffer": text.encode()}
    page.locator("input[accept]").set_input_files(file)
    expect(page.locator(".notice-problem")).to_contain_text("Key 2 is at 1 seconds")
    expect(page.locator(".key")).to_have_count(1)
