"""Uploads that are cut, refused or lost, and how they go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.fakes.api import nerfstudio, picture, zip_of
from tests.fakes.backend import SCENE_MAGIC
from tests.viewer.conftest import Fake
from tests.viewer.test_scenes import FILES, step, uploads

CUT = "abort"
TRANSFORMS = json.dumps(nerfstudio("a.png", "b.png"))


CAPTURE = {
    "a.png": picture(1),
    "b.png": picture(2),
    "transforms.json": TRANSFORMS.encode(),
}


WHOLE = {"chair.zip": zip_of(CAPTURE), "chair.scene": SCENE_MAGIC}


def created(fake: Fake) -> list[str]:
    """Names of new scenes."""
    return [one.json["name"] for one in fake.sent("POST /v1/scenes")]


def upload(page: Page, files: dict[str, bytes]) -> None:
    page.locator(FILES).set_input_files(
        [{"name": name, "mimeType": "", "buffer": data} for name, data in files.items()]
    )
    page.get_by_role("button", name="Upload").click()


def fail(page: Page, path: str, times: int, answer: int | str = CUT) -> list[str]:
    """The next requests to a path are cut, or answered with a status.

    Those for pictures in the list of scenes, which come when they like, are not.
    """
    calls: list[str] = []

    def handle(route: Route) -> None:
        is_picture = route.request.method == "GET" and "/images/" in route.request.url
        if is_picture or len(calls) == times:
            route.fallback()
            return
        calls.append(route.request.url)
        if isinstance(answer, str):
            route.abort("connectionreset")
            return
        document: dict[str, Any] = {
            "title": "refused",
            "detail": f"This is {answer}.",
            "remedy": "Do something about it.",
        }
        route.fulfill(status=answer, json=document)

    page.route(f"**/v1/scenes/*/{path}*", handle)
    return calls


@pytest.mark.parametrize(
    ("name", "path", "end", "answer"),
    [("chair.zip", "dataset", "choose", CUT), ("chair.scene", "file", "ready", 503)],
)
def test_a_file_is_sent_again_until_it_arrives(
    *,
    open_page: Callable[..., Page],
    fake: Fake,
    name: str,
    path: str,
    end: str,
    answer: int | str,
) -> None:
    page = open_page(fake.url)
    calls = fail(page, path, 2, answer)
    upload(page, {name: WHOLE[name]})
    page.wait_for_selector("text=Goes on in")
    step(page, end)
    assert len(calls) == 2
    assert len(fake.sent(f"PUT .*/{path}")) == 1
    assert created(fake) == ["chair"]


def test_a_refused_file_can_be_sent_again_to_the_same_scene(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.url)
    calls = fail(page, "dataset", 1, 413)
    upload(page, {"chair.zip": WHOLE["chair.zip"]})
    step(page, "failed")
    assert "This is 413.\n\nDo something about it." in page.inner_text(".upload-panel")
    page.click("text=Try again")
    step(page, "choose")
    assert "2 posed images" in page.inner_text(".findings")
    assert len(calls) == 1
    assert created(fake) == ["chair"]


@pytest.mark.parametrize(
    ("files", "path"),
    [({"chair.zip": WHOLE["chair.zip"]}, "dataset"), (CAPTURE, "images/*")],
)
def test_a_key_that_is_revoked_meanwhile_is_asked_for(
    open_page: Callable[..., Page], fake: Fake, files: dict[str, bytes], path: str
) -> None:
    page = open_page(fake.url)

    keys: list[str] = []

    def revoke(route: Route) -> None:
        keys.append(fake.service.key())
        route.continue_()

    page.route(f"**/v1/scenes/*/{path}", revoke, times=1)
    upload(page, files)
    page.wait_for_selector("#key")
    page.fill("#key", keys[0])
    page.click("text=Continue")
    step(page, "choose")


@pytest.mark.parametrize("path", ["cameras", "validation"])
def test_a_capture_goes_on_after_a_loss_behind_its_last_image(
    open_page: Callable[..., Page], fake: Fake, path: str
) -> None:
    page = open_page(fake.url)
    calls = fail(page, path, 1) + fail(page, "images", 1)
    upload(page, CAPTURE)
    page.wait_for_selector("text=Goes on in")
    step(page, "choose")
    assert sorted(uploads(fake)) == ["a.png", "b.png"]
    assert calls == []


def test_a_check_that_fails_can_be_tried_again_without_sending_again(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.url)
    fail(page, "validation", 1, 409)
    upload(page, {"chair.zip": WHOLE["chair.zip"]})
    step(page, "failed")
    page.click("text=Try again")
    step(page, "choose")
    assert len(fake.sent("PUT .*/dataset")) == 1


def test_patience_ends_where_it_is_told_to(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.url)
    found = page.evaluate(
        """async () => {
            const { patiently } = await import('/viewer/js/lib/backoff.js');
            const told = [];
            let calls = 0;
            const refused = Object.assign(new Error('no'), {
                isTemporary: true,
                retryAfterSeconds: 0.01,
            });
            const action = async () => {
                calls += 1;
                throw refused;
            };
            const onLost = ({ seconds }) => told.push(seconds);
            const error = await patiently(action, { onLost, most: 3 }).catch((e) => e);
            return [error === refused, calls, told];
        }"""
    )
    assert found == [True, 3, [0.01, 0.01]]


def test_a_refused_build_can_be_asked_for_again(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.url)
    fail(page, "build", 1, 429)
    upload(page, CAPTURE)
    page.get_by_role("combobox", name="Weights").select_option("large")
    page.click("text=Build the scene")
    step(page, "failed")
    page.click("text=Try again")
    step(page, "ready")
    assert fake.sent("POST .*/build")[-1].json["weights"] == "large"


def test_each_step_is_said_and_keeps_the_focus_in_the_panel(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.url)
    upload(page, CAPTURE)
    step(page, "choose")
    expect(page.locator(".panel-head [role=status]")).to_have_text("to be built")
    assert page.evaluate("() => document.activeElement.textContent") == "transforms"
    page.get_by_role("button", name="Build the scene").focus()
    page.keyboard.press("Enter")
    step(page, "ready")
    expect(page.locator(".panel-head [role=status]")).to_have_text("ready")
    assert page.evaluate("() => document.activeElement.textContent") == "transforms"


def test_an_upload_goes_on_after_a_reload_with_the_same_files(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    files = {f"{name}.png": picture(shade) for shade, name in enumerate("abcde")}
    page = open_page(fake.url)
    has_reloaded = False

    def stall(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        if has_reloaded or name in ("a.png", "b.png"):
            route.continue_()

    page.route("**/v1/scenes/*/images/*", stall)
    upload(page, files)
    expect(page.locator(".file-list li[data-state=done]")).to_have_count(2)
    expect(page.locator(".files")).to_contain_text("2 of 5 files")
    page.reload()
    has_reloaded = True
    expect(page.get_by_text("stopped at 2 of 5 files")).to_be_visible()

    page.locator(FILES).set_input_files(
        [{"name": name, "mimeType": "", "buffer": data} for name, data in files.items()]
    )
    expect(page.locator(".upload-panel")).to_contain_text("has 2 of these 5 files")
    page.click("text=Continue the upload")
    step(page, "choose")
    assert sorted(uploads(fake)) == sorted(files)  # each once, both pages together
    expect(page.get_by_text("The upload stopped")).to_be_hidden()
    assert len(created(fake)) == 1

    page.locator(FILES).set_input_files(
        [{"name": name, "mimeType": "", "buffer": data} for name, data in files.items()]
    )
    step(page, "confirm")  # that scene has its cameras: these make another one
    expect(page.get_by_label("Name").last).to_have_value("a")


def test_files_of_another_capture_make_a_new_scene(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    scene_id = fake.service.make(name="a")
    fake.service.put(scene_id, "images/a.png", picture(9))
    page = open_page(fake.url)
    names = [*"abc", "a"]  # phones call all photographs alike
    page.locator(FILES).set_input_files(
        [
            {
                "name": f"{name}.png",
                "mimeType": "",
                "buffer": picture(shade) + b"x" * shade,
            }
            for shade, name in enumerate(names)
        ]
    )
    page.get_by_role("button", name="Upload").click()
    step(page, "choose")
    assert len(set(uploads(fake))) == 4
    assert len(created(fake)) == 1


def test_the_time_left_is_that_of_the_last_seconds(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.url)
    found = page.evaluate(
        """async () => {
            const { TimeLeft } = await import('/viewer/js/scenes/time-left.js');
            const left = new TimeLeft();
            const told = [left.secondsFor(1)];
            for (const [second, sent] of [[0, 0], [2, 200], [16, 1600], [17, 3000]]) {
                left.note(sent, 1000 * second);
                told.push(left.secondsFor(1000));
            }
            return told;
        }"""
    )
    assert found[:4] == [None, None, 10, 10]
    assert found[4] == pytest.approx(15000 / 2800)
