"""A key revoked while its stream is open, on the real `nvs serve`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from nvs_server.storage.database import Database
from nvs_server.storage.keys import KeyStore
from tests.served import Served
from tests.viewer.conftest import after, drag, settled
from tests.viewer.test_real_server import build_sample


@pytest.mark.slow
def test_another_key_is_asked_for_and_the_view_stays(
    open_page: Callable[..., Page], serve: Callable[..., Served], tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    database = Database(f"sqlite:///{folder / 'nvs.sqlite'}")
    database.migrate()
    keys = KeyStore(database)
    scopes = ("read", "write", "render")
    key, secret = keys.create(name="laptop", owner="ada", scopes=scopes)
    _, other = keys.create(name="desk", owner="ada", scopes=scopes)
    page = open_page(serve().base_url)
    page.fill("#key", secret)
    page.click("text=Continue")
    build_sample(page)
    page.click("text=Walk around")
    settled(page)
    after(page, lambda: drag(page))

    keys.revoke(key.id)
    drag(page)
    page.wait_for_selector("dialog >> text=The key is not valid")
    view = page.evaluate("() => location.hash")
    page.fill("#key", other)
    page.click("text=Continue")
    page.wait_for_selector(".chip[data-state=open]")
    settled(page)
    assert page.evaluate("() => location.hash") != view, "it goes on where it was moved"
    database.dispose()
