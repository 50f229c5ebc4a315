"""Patterns: range, sharp edges, and fading where they are not resolved."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from nvs.errors import DatasetError
from nvs.train.synthetic import load_photographs, object_batch, textures
from nvs.train.synthetic.photographs import shrink


def one_texture(kind: int, frequency: float = 2.0) -> textures.Textures:
    affine = torch.cat([frequency * torch.eye(3), torch.full((3, 1), 0.13)], dim=-1)
    return textures.Textures(
        kind=torch.tensor([[kind]]),
        texture_from_local=affine[None, None],
        frequency=torch.tensor([[frequency]]),
        colors=torch.tensor([[[[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]]]),
        contrast=torch.tensor([[0.5]]),
        number=torch.tensor([[1]]),
        gloss=torch.zeros(1, 1),
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
    cut = (tmp_path / "a.png").read_bytes()[:80]
    (tmp_path / "b.png").write_bytes(cut)
    with caplog.at_level("WARNING", "nvs.data"):
        photographs = load_photographs(tmp_path, 32)
    assert "2 of 3 files are no images or damaged" in caplog.text
    assert "b.png, notes.txt" in caplog.text
    assert photographs.shape == (1, 3, 32, 32)
    red = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    torch.testing.assert_close(photographs[0], red.expand(3, 32, 32))
    color = sample(one_texture(textures.PHOTOGRAPH), 0.01, photographs)
    torch.testing.assert_close(color, red.expand_as(color))


def test_photographs_reach_objects() -> None:
    plain, worn = (
        object_batch(
            batch=4,
            views=2,
            height=32,
            width=32,
            seed=0,
            device="cpu",
            photographs=photographs,
            with_depth=True,
        )
        for photographs in (None, torch.rand(2, 3, 64, 64))
    )
    assert torch.equal(plain.depth, worn.depth)
    assert not torch.equal(plain.image, worn.image)


def test_shrinking_keeps_the_mean() -> None:
    photographs = torch.rand(2, 3, 64, 64)
    small = shrink(photographs, 10)
    assert small.shape[-1] == 16
    torch.testing.assert_close(small.mean(), photographs.mean())


@pytest.mark.parametrize("made", [False, True])
def test_a_folder_without_photographs_is_named(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "photographs"
    if made:
        folder.mkdir()
        (folder / "readme.md").write_text("empty")
    with pytest.raises(DatasetError, match="photographs"):
        load_photographs(folder)
