"""The list of scenes: kept up to date in place, also while the server is gone."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect
from sqlalchemy import update

from nvs_server.storage.tables import SceneRow
from tests.viewer.conftest import Fake

REFRESH = "[aria-label='Refresh the list']"
MENU = "[aria-label='Actions for ring']"


def refreshed(page: Page) -> None:
    with page.expect_response("**/v1/scenes?*"):
        page.click(REFRESH)


def test_the_reason_of_a_failed_rebuild_is_shown(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    fake.failed(fake.scene)
    page = open_page(fake.url)
    expect(page.locator(".card[data-state=ready] .card-error:visible")).to_have_text(
        "The last build failed. The cameras disagree. Pose them again."
    )


def test_one_line_says_that_the_server_is_gone_until_it_is_back(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page("about:blank")
    page.clock.install()
    page.goto(fake.url)
    page.wait_for_selector(".card")
    page.route("**/v1/scenes?*", lambda route: route.abort())
    line = page.get_by_text("The list may be out of date.")
    for _ in range(3):
        with page.expect_event("requestfailed"):
            page.clock.run_for(15_000)
        expect(line).to_have_count(1)
    expect(page.locator(".notice")).to_have_count(0)
    expect(page.locator(".card")).to_be_visible()
    page.unroute("**/v1/scenes?*")
    with page.expect_response("**/v1/scenes?*"):
        page.clock.run_for(15_000)
    expect(line).to_have_count(0)


def test_a_build_in_the_list_is_followed_beyond_a_lost_connection(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    fake.service.call("DELETE", f"/v1/scenes/{fake.scene}")
    fake.building()
    page = open_page("about:blank")
    page.route("**/v1/jobs/*", lambda route: route.abort(), times=2)
    page.goto(fake.url)
    page.wait_for_selector(".card >> text=connection lost, trying again")
    page.wait_for_selector(".card >> text=prefill")
    expect(page.locator(".notice")).to_have_count(0)
    fake.service.let_go("build")
    page.wait_for_selector(".card[data-state=ready]")


def test_a_capture_that_is_dropped_later_is_a_scene_of_its_own(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    fake.service.call("DELETE", f"/v1/scenes/{fake.scene}")
    fake.failed()
    page = open_page(fake.url)
    page.click(MENU)
    with page.expect_file_chooser():
        page.click("text=Add files")
    page.evaluate(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File(['x'], 'chair.zip'));
            window.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer}));
        }"""
    )
    page.wait_for_selector(".upload-panel[data-step=confirm]")
    assert page.inner_text(".upload-panel h2") == "New scene"
    with page.expect_file_chooser():
        page.click("text=Choose folder")


def test_add_files_goes_on_with_the_scene(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    fake.service.call("DELETE", f"/v1/scenes/{fake.scene}")
    fake.failed()
    page = open_page(fake.url)
    page.click(MENU)
    with page.expect_file_chooser() as chosen:
        page.click("text=Add files")
    chosen.value.set_files("nvs/assets/sample")
    page.wait_for_selector(".upload-panel[data-step=confirm]")
    assert page.inner_text(".upload-panel h2") == "Continue: ring"


def test_a_refresh_keeps_cards_focus_and_pages(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    others = [fake.service.make(name="other") for _ in range(69)]
    page = open_page(fake.url)
    cards = page.locator(".card")
    expect(cards).to_have_count(50)
    page.click("text=Show more")
    expect(cards).to_have_count(70)
    expect(page.get_by_text("Show more")).to_be_hidden()
    page.evaluate(
        "() => { for (const card of document.querySelectorAll('.card')) "
        "card.isOld = true; }"
    )
    page.focus(MENU)
    fake.service.call("DELETE", f"/v1/scenes/{others[-1]}")
    with fake.service.state.database.write() as session:
        session.execute(update(SceneRow).values(state="failed"))
    page.evaluate(f'() => document.querySelector("{REFRESH}").click()')
    expect(cards).to_have_count(69)
    expect(page.locator(".card[data-state=failed]")).to_have_count(69)
    focused = page.evaluate("() => document.activeElement.getAttribute('aria-label')")
    assert focused == "Actions for ring"
    fake.service.make(), fake.service.make()
    refreshed(page)
    expect(cards).to_have_count(71)
    kept = "() => [...document.querySelectorAll('.card')].filter((c) => c.isOld).length"
    assert page.evaluate(kept) == 69


def test_a_download_is_shown_while_it_lasts_and_its_loss_is_said(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page("about:blank")
    page.clock.install()
    page.goto(fake.url)
    page.wait_for_selector(".card")
    page.evaluate(
        """() => {
            const real = window.fetch;
            window.fetch = (path, ...rest) => path.endsWith('/file')
                ? Promise.resolve(new Response(new ReadableStream({
                    start(controller) { window.body = controller; },
                })))
                : real(path, ...rest);
        }"""
    )
    page.click(MENU)
    page.click("text=Download the scene file")
    page.evaluate("() => window.body.enqueue(new Uint8Array(2048))")
    progress = page.get_by_text("Downloading the scene file: 2.0 KiB")
    expect(progress).to_be_visible()
    page.clock.run_for(10_000)
    expect(progress).to_be_visible()
    page.evaluate("() => window.body.error(new TypeError('network error'))")
    page.wait_for_selector(".notice-problem >> text=The server does not answer.")
    expect(progress).to_have_count(0)
