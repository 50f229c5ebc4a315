"""What to expect of a build, its choices, and what came of the views kept out."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from nvs.api.framing import Concern
from nvs_server.storage.tables import SceneRow
from tests.fakes.backend import EXPECTATION, HELD_OUT
from tests.viewer.conftest import Fake, settled

HOPELESS = EXPECTATION.model_copy(
    update={
        "verdict": "hopeless",
        "framing": None,
        "concerns": [
            Concern(
                verdict="hopeless",
                problem="all 6 views are in one place",
                remedy="Check their translations.",
                views=[],
            )
        ],
    }
)


def test_the_verdict_stands_beside_the_choices_before_a_build(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    fake.service.backend.expectation = HOPELESS
    scene_id = fake.posed("tripod")
    page = open_page(fake.url_of(scene_id))
    line = page.get_by_label("What to expect")
    expect(line).to_have_attribute("data-verdict", "hopeless")
    for word in ("Hopeless", "all 6 views are in one place", "Check their trans"):
        expect(line).to_contain_text(word)
    submit = page.get_by_role("button", name="Build", exact=True)
    expect(submit).to_be_disabled()
    page.get_by_role("combobox", name="Framing").select_option("mean_camera")
    expect(submit).to_be_enabled()
    fake.service.backend.expectation = EXPECTATION.model_copy(
        update={"up": (0.0, -1.0, 0.0)}
    )
    page.get_by_role("combobox", name="Weights").select_option("large")
    expect(line).to_have_attribute("data-verdict", "fine")
    up = page.get_by_role("combobox", name="Up axis")
    expect(up).to_contain_text("as found: −y")
    up.select_option("z")
    stored = page.get_by_role("combobox", name="Poses were stored")
    stored.select_option("inverted-opengl")
    page.get_by_role("combobox", name="Views kept out").select_option("4")
    submit.click()
    settled(page)
    asked = {
        "weights": "large",
        "framing": "mean_camera",
        "up": [0, 0, 1],
        "convention": "inverted-opengl",
        "holdout": 4,
    }
    body = fake.sent("POST .*/build")[-1].json
    assert {name: body[name] for name in asked} == asked
    told = [request.json for request in fake.sent("POST .*/expectation")]
    assert told[0]["weights"] == "fake"
    assert "framing" not in told[0]
    assert told[-1]["convention"] == "inverted-opengl"


def test_how_good_it_is_stands_with_the_scene(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    scene_id = fake.posed("measured")
    job = fake.service.build(scene_id, json={"holdout": 2}).json()
    assert fake.service.ended(job["id"])["state"] == "succeeded"
    page = open_page(fake.url_of(scene_id))
    panel = page.get_by_label("How good it is")
    expect(panel).to_contain_text(HELD_OUT.meaning[1:])
    expect(panel.get_by_role("row", name="this scene")).to_contain_text("20")
    assert "SSIM" in panel.inner_text()
    expect(panel.get_by_role("columnheader")).to_have_count(2)  # LPIPS was left out
    expect(panel).to_contain_text("LPIPS is left out")
    with page.expect_response(re.compile("/held-out")) as answer:
        panel.get_by_text("Show them").click()
    assert answer.value.ok


def test_the_up_axis_is_as_found_and_kept_when_it_is_changed(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    scene_id = fake.posed("castle")
    job = fake.service.build(scene_id, json={"up": [0, -1, 0]}).json()
    assert fake.service.ended(job["id"])["state"] == "succeeded"
    page = open_page(fake.url_of(scene_id))
    up = page.get_by_role("combobox", name="Up axis")
    expect(up).to_have_value("auto")
    expect(up).to_contain_text("as found: −y")
    keep = page.get_by_role("button", name="Keep")
    expect(keep).to_be_hidden()
    up.select_option("z")
    with page.expect_response(lambda answer: answer.request.method == "PATCH"):
        keep.click()
    expect(keep).to_be_hidden()
    assert fake.service.scene(scene_id)["up"] == [0, 0, 1]
    expect(up).to_contain_text("as found: z")


def test_scenes_that_were_built_unframed_say_so(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    with fake.service.state.database.write() as session:
        for row in session.query(SceneRow).all():
            row.unframed = True
    page = open_page(fake.url)
    expect(page.locator(".card")).to_contain_text("Built unframed: build again.")
    page.click(".card-link")
    expect(page.locator(".notices")).to_contain_text("Built unframed: build again.")
    with fake.service.state.database.write() as session:
        for row in session.query(SceneRow).all():
            row.unframed = False
    page = open_page(fake.url)
    expect(page.get_by_text("Built unframed")).to_be_hidden()
