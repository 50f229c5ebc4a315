"""What a notebook and a prompt show of our values."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from PIL import Image

from nvs.scene import PosedViews, Renderer, Scene
from nvs.scene.notebook import MAX_THUMBNAILS


@pytest.fixture
def scene(renderer: Renderer, views: PosedViews) -> Scene:
    return renderer.prefill(views)


class Parts(HTMLParser):
    """The tags of some HTML, which all are closed, and its pictures."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "img":
            self.pictures.append(dict(attrs))
        else:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_repr_is_a_short_line(
    renderer: Renderer, views: PosedViews, scene: Scene
) -> None:
    shown = {
        repr(views): "6 views, 16×24",
        repr(views.camera): "6 views, 16×24",
        repr(scene): "6 views, 16×24, random",
        repr(renderer): "random, float32, cpu",
    }
    for text, inside in shown.items():
        assert re.fullmatch(rf"[A-Z]\w+\({inside}\)", text)


def test_a_card_has_a_picture_a_view(views: PosedViews, scene: Scene) -> None:
    for value in (views, scene):
        pictures = Parts(value._repr_html_()).pictures
        assert [one["alt"] for one in pictures] == list(views.names)
        for one in pictures:
            head, _, data = (one["src"] or "").partition(",")
            assert head == "data:image/jpeg;base64"
            assert Image.open(io.BytesIO(b64decode(data))).size == (24, 16)


def test_of_many_views_the_first_are_shown(views: PosedViews) -> None:
    many = views[[0] * (MAX_THUMBNAILS + 5)]
    html = many._repr_html_()
    assert len(Parts(html).pictures) == MAX_THUMBNAILS
    assert "and 5 more" in html


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a' onerror='alert(1)"])
def test_names_are_no_markup(views: PosedViews, name: str) -> None:
    parts = Parts(replace(views[0], names=(name,))._repr_html_())
    assert "script" not in parts.tags
    assert set(parts.pictures[0]) == {"src", "alt", "title", "style"}
    assert parts.pictures[0]["title"] == name
