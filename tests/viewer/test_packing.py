"""Zips that the page packs."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Callable

from playwright.sync_api import Page

from tests.viewer.conftest import Fake

PACK = """async (files) => {
    const { zipOf } = await import('/viewer/js/lib/zip.js');
    const blob = await zipOf(Object.entries(files).map(([path, text]) =>
        ({path, file: new File([text], path.split('/').pop())})));
    const bytes = new Uint8Array(await blob.arrayBuffer());
    return btoa(String.fromCharCode(...bytes));
}"""
TOO_LARGE = """async () => {
    const { zipOf } = await import('/viewer/js/lib/zip.js');
    const stream = () => new Blob([]).stream();
    const file = {size: 2 ** 31, stream};
    return zipOf([{path: 'a', file}, {path: 'b', file}]);
}"""


def test_other_programs_read_what_was_packed(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    files = {"sparse/0/cameras.txt": "", "bilder/Grün.txt": "ä" * 500, "a": "x"}
    page = open_page(fake.url)
    packed = base64.b64decode(page.evaluate(PACK, files))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        assert {n: archive.read(n).decode() for n in archive.namelist()} == files


def test_what_a_plain_zip_cannot_hold_is_not_packed(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    assert open_page(fake.url).evaluate(TOO_LARGE) is None
