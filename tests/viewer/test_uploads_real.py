"""Whole files on the real `nvs serve`: zips, made here or by the page, scene files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from nvs.assets import SAMPLE
from tests.served import Served
from tests.viewer.conftest import settled
from tests.viewer.test_scenes import FILES, FOLDER, step


@pytest.mark.slow
def test_a_zip_is_built_and_its_scene_file_uploaded_again(
    open_page: Callable[..., Page], serve: Callable[..., Served], tmp_path: Path
) -> None:
    archive = shutil.make_archive(str(tmp_path / "chicken"), "zip", SAMPLE)
    page = open_page(serve().base_url)
    page.locator(FILES).set_input_files(archive)
    page.get_by_role("button", name="Upload").click()
    step(page, "choose")
    assert "24 posed images" in page.inner_text(".findings")
    page.get_by_role("combobox", name="Picture size").select_option("64")
    page.get_by_role("slider", name="Views").fill("2")
    page.click("text=Build the scene")
    step(page, "ready")
    page.click(".upload-panel [title=Close]")

    page.click("[aria-label='Actions for chicken']")
    with page.expect_download() as download:
        page.click("text=Download the scene file")
    scene = tmp_path / "copy.scene"
    download.value.save_as(scene)
    page.locator(FILES).set_input_files(scene)
    page.get_by_role("button", name="Upload").click()
    step(page, "ready")
    expect(page.locator(".card[data-state=ready]")).to_have_count(2)
    page.click("text=Walk around")
    settled(page)


@pytest.mark.slow
def test_a_folder_in_a_layout_of_others_is_packed_and_read(
    open_page: Callable[..., Page], serve: Callable[..., Served], tmp_path: Path
) -> None:
    folder = tmp_path / "räume"
    convert = ("data", "convert", SAMPLE, "-o", folder, "--to", "colmap")
    subprocess.run([sys.executable, "-m", "nvs.cli", *convert], check=True)
    (folder / "database.db").write_bytes(bytes(1000))
    served = serve()
    page = open_page(served.base_url)
    page.locator(FOLDER).set_input_files(folder)
    expect(page.locator(".upload-panel")).to_contain_text("A zip of a dataset")
    page.get_by_role("button", name="Upload").click()
    step(page, "choose")
    assert "24 posed images (colmap)" in page.inner_text(".findings")
