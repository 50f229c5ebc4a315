"""Views that stay on disk: the same scene, two groups in memory, an early end."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from nvs.cameras import Camera
from nvs.errors import ImageError
from nvs.model.trained_on import TrainedOn
from nvs.scene import OpenedViews, Renderer, load_views, open_views
from nvs.scene.frames import Frame

GROUP = 2


class Counting:
    """Frames that count how many of them were decoded."""

    def __init__(self, camera: Camera) -> None:
        self.num_decoded = 0
        self.lock = threading.Lock()
        self.frames = [
            Frame(name=f"{index}", camera=one, load=self.load)
            for index, one in enumerate(camera)
        ]

    def load(self) -> np.ndarray:
        with self.lock:
            self.num_decoded += 1
        height, width = self.frames[0].camera.height, self.frames[0].camera.width
        return np.full((height, width, 3), self.num_decoded, np.uint8)

    def views(self) -> OpenedViews:
        return OpenedViews.from_frames(self.frames, size=None, patch_size=8)


@pytest.mark.parametrize("size", [None, (8, 16)])
def test_are_what_load_views_gives(dataset: Path, size: tuple[int, int] | None) -> None:
    loaded = load_views(dataset, size=size)
    opened = open_views(dataset, size=size)
    groups = list(opened.in_groups(4))
    assert [len(group) for group in groups] == [4, 2]
    assert torch.equal(torch.cat(groups), loaded.image)
    assert torch.equal(opened.camera.intrinsics, loaded.camera.intrinsics)
    assert torch.equal(opened[[3, 3]].image, loaded.image[[3, 3]])
    assert (opened.names, opened.world_up) == (loaded.names, loaded.world_up)


@pytest.mark.parametrize("background", ["white", None])
def test_build_the_same_scene(
    dataset: Path, renderer: Renderer, background: str | None
) -> None:
    renderer.trained_on = TrainedOn(background=background)  # type: ignore[arg-type]
    loaded, opened = load_views(dataset), open_views(dataset)
    one = renderer.prefill(loaded, group_size=GROUP)
    other = renderer.prefill(opened, group_size=GROUP)
    assert torch.equal(one.thumbnail, other.thumbnail)
    assert one.input_names == other.input_names
    for here, there in zip(one.fast_weights, other.fast_weights, strict=True):
        assert all(map(torch.equal, here, there))
    verdicts = [renderer.frame(views).concerns for views in (loaded, opened)]
    assert verdicts[0] == verdicts[1]


def test_at_most_two_groups_are_decoded_and_not_done_with(
    renderer: Renderer, ring: Camera
) -> None:
    counting = Counting(Camera.cat([ring] * 5))
    views = counting.views()
    assert counting.num_decoded == 0
    ahead = []

    def progress(done: int, total: int) -> None:
        if done * GROUP <= len(views):
            ahead.append(counting.num_decoded - done * GROUP)

    renderer.prefill(views, framing="none", group_size=GROUP, progress=progress)
    assert len(ahead) == len(views) // GROUP
    assert max(ahead) <= GROUP  # beside the group that is embedded
    assert counting.num_decoded == len(views)


def test_whoever_cancels_ends_the_decoding(renderer: Renderer, ring: Camera) -> None:
    counting = Counting(Camera.cat([ring] * 5))

    def cancel(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        renderer.prefill(
            counting.views(), framing="none", group_size=GROUP, progress=cancel
        )
    assert counting.num_decoded <= 2 * GROUP
    assert not any("decoding" in thread.name for thread in threading.enumerate())


def test_a_photograph_that_cannot_be_read_is_named(
    renderer: Renderer, dataset: Path
) -> None:
    file = dataset / "images" / "4.png"
    file.write_bytes(file.read_bytes()[:100])
    views = open_views(dataset)
    with pytest.raises(ImageError, match=r"4\.png"):
        renderer.prefill(views, group_size=GROUP)
