"""Patterns: range, sharp edges, and fading where they are not resolved."""

from __future__ import annotations

import math
from functools import cache
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from nvs.errors import DatasetError
from nvs.train.synthetic import (
    Photographs,
    draw_scenes,
    load_photographs,
    textures,
)


def one_texture(kind: int, frequency: float = 2.0) -> textures.Textures:
    affine = torch.cat([frequency * torch.eye(3), torch.full((3, 1), 0.13)], dim=-1)
    return textures.Textures(
        kind=torch.tensor([[kind]]),
        texture_from_local=affine[None, None],
        frequency=torch.tensor([[frequency]]),
        colors=torch.tensor([[[[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]]]),
        contrast=torch.tensor([[0.5]]),
        number=torch.tensor([[0]]),
        gloss=torch.zeros(1, 1),
    )


def noise(count: int) -> Photographs:
    random = np.random.default_rng(0)
    return Photographs.of(
        list(random.integers(256, size=(count, 64, 64, 3), dtype="u1"))
    )


def sample(texture: textures.Textures, footprint: float, photographs=None):
    grid = torch.linspace(-1, 1, 200)
    x, y = torch.meshgrid(grid, grid, indexing="xy")
    point = torch.stack([x, y, 0.07 + 0 * x]).flatten(1)
    normal = torch.tensor([[0.0], [0.0], [1.0]]).expand_as(point)
    slot = torch.zeros(point.shape[1], dtype=torch.long)
    wide = torch.full((point.shape[1],), footprint)
    color = textures.albedo(texture, slot, point, normal, wide, photographs)
    return color.view(3, 200, 200)


PATTERNS = [textures.WAVES, textures.CHECKER, textures.STRIPES, textures.MARKS]


@pytest.mark.parametrize("kind", [*PATTERNS, textures.GRADIENT, textures.PLAIN])
def test_colours_lie_between_the_two_of_the_texture(kind: int) -> None:
    color = sample(one_texture(kind), 0.01)
    assert color.min() >= 0
    assert color.max() <= 1
    assert (color.std() > 0.1) == (kind != textures.PLAIN)


@pytest.mark.parametrize("kind", PATTERNS)
def test_patterns_fade_where_they_are_not_resolved(kind: int) -> None:
    fine, coarse = (sample(one_texture(kind), wide) for wide in (0.01, 1.0))
    assert coarse.std() < 1e-3
    assert abs(coarse.mean() - fine.mean()) < 0.2


@pytest.mark.parametrize("kind", [textures.CHECKER, textures.STRIPES, textures.MARKS])
def test_patterns_have_sharp_edges_at_full_contrast(kind: int) -> None:
    color = sample(one_texture(kind), 0.005)[0]
    extreme = (color < 0.02) | (color > 0.98)
    assert extreme.float().mean() > 0.85
    assert color.diff(dim=-1).abs().max() > 0.5


def test_photographs_are_loaded_cropped_and_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    image = np.zeros((40, 80, 3), dtype=np.uint8)
    image[:, 20:60] = (0, 0, 255)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "sources.json").write_text("{}")
    cut = (tmp_path / "a.png").read_bytes()[:80]
    (tmp_path / "b.png").write_bytes(cut)
    with caplog.at_level("WARNING", "nvs.data"):
        photographs = load_photographs(tmp_path, 32)
    assert "2 of 3 files are no images or damaged" in caplog.text
    assert "b.png, notes.txt" in caplog.text
    assert len(photographs) == 1
    behind = load_photographs(tmp_path, 32, prints=2)
    assert (len(behind), behind.prints) == (3, 2)
    assert torch.equal(behind.halvings[0][2:], photographs.halvings[0])
    assert photographs.at_most(32).shape == (1, 32, 32, 4)
    red = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    for halving in photographs.halvings:
        color = sample(one_texture(textures.PHOTOGRAPH), 0.01, halving)
        torch.testing.assert_close(color, red.expand_as(color))


def test_photographs_reach_objects() -> None:
    plain, worn = (
        draw_scenes(
            "object",
            batch=4,
            views=2,
            height=32,
            width=32,
            seed=0,
            photographs=photographs is not None,
        ).render("cpu", photographs=photographs, with_depth=True)
        for photographs in (None, noise(2))
    )
    assert torch.equal(plain.depth, worn.depth)
    assert not torch.equal(plain.image, worn.image)


@pytest.mark.parametrize(
    ("side", "found"), [(1, 8), (8, 8), (9, 16), (16, 16), (33, 64), (500, 64)]
)
def test_photographs_are_looked_up_in_the_size_of_the_pictures(
    side: int, found: int
) -> None:
    photographs = noise(3)
    halving = photographs.at_most(side)
    assert halving.shape == (3, found, found, 4)
    mean = photographs.halvings[0].float().mean((1, 2))
    torch.testing.assert_close(halving.float().mean((1, 2)), mean, atol=1.0, rtol=0)


def test_a_photograph_is_looked_up_between_its_pixels() -> None:
    ramp = np.zeros((16, 16, 3), np.uint8)
    ramp[..., 0] = 16 * np.arange(16)
    halving = Photographs.of([ramp]).halvings[0]
    red = sample(one_texture(textures.PHOTOGRAPH, 0.1), 0.01, halving)[0]
    steps = red.diff(dim=-1)
    assert (steps < 0).all()
    torch.testing.assert_close(steps, steps[:1, :1].expand_as(steps), atol=1e-5, rtol=0)


@cache
def many_textures() -> textures.Textures:
    scenes = draw_scenes(
        "object", batch=4000, views=1, height=8, width=8, seed=0, photographs=True
    ).scenes
    return scenes.textures


def set_of(count: int, prints: int) -> Photographs:
    return Photographs((torch.zeros(count, 1, 1, 4, dtype=torch.uint8),), prints)


@pytest.mark.parametrize(("count", "prints"), [(9000, 0), (9000, 9000), (9000, 4500)])
def test_every_photograph_of_many_is_worn(count: int, prints: int) -> None:
    assigned = set_of(count, prints).assigned(many_textures())
    worn = assigned.number[assigned.kind == textures.PHOTOGRAPH]
    assert 0 <= worn.min() <= worn.max() < count
    share = worn.unique().numel() / count
    # Drawn evenly, so many leave out a share of exp(-worn / count).
    assert share == pytest.approx(1 - math.exp(-len(worn) / count), abs=0.05)


def test_half_of_what_is_worn_is_printed_and_marks_keep_their_numbers() -> None:
    drawn = many_textures()
    assigned = set_of(1000, 100).assigned(drawn)
    photograph = drawn.kind == textures.PHOTOGRAPH
    printed = (assigned.number[photograph] < 100).float().mean()
    assert printed == pytest.approx(0.5, abs=0.03)
    assert torch.equal(assigned.number[~photograph], drawn.number[~photograph])


def test_photographs_reach_another_process_by_shared_memory() -> None:
    photographs = noise(2)
    sent = ForkingPickler.dumps(photographs)
    assert len(sent) < sum(halving.numel() for halving in photographs.halvings) / 4
    assert photographs.halvings[0].is_shared()


@pytest.mark.parametrize("made", [False, True])
def test_a_folder_without_photographs_is_named(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "photographs"
    if made:
        folder.mkdir()
        (folder / "readme.md").write_text("empty")
    with pytest.raises(DatasetError, match="photographs"):
        load_photographs(folder)
