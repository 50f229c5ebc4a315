from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nvs.cameras import Camera
from nvs.config import ModelConfig
from nvs.errors import SceneFileError
from nvs.model.checkpoint import random_checkpoint
from nvs.model.trained_on import TrainedOn
from nvs.scene import PosedViews, Renderer, Scene, load_views, open_views
from nvs.tensor_file import read_tensors, write_tensors

SAMPLE = Path(__file__).resolve().parents[2] / "nvs" / "assets" / "sample"


def renderer_of(poses: str) -> Renderer:
    config = ModelConfig(
        dim=32,
        num_blocks=2,
        patch_size=4,
        fast_head_dim=32,
        attention_head_dim=16,
        fast_position="surface_point",
        reprojection=True,
    )
    return Renderer(
        random_checkpoint(config),
        model_id="random",
        trained_on=TrainedOn(poses=poses),  # type: ignore[arg-type]
        device="cpu",
        precision="float32",
    )


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return renderer_of("object")


@pytest.fixture(scope="module")
def sample() -> PosedViews:
    return load_views(SAMPLE, size=32, patch_size=4)


@pytest.fixture(scope="module")
def scene(renderer: Renderer, sample: PosedViews) -> Scene:
    return renderer.prefill(sample[:12], framing="none", dtype=torch.float32)


def test_a_scene_is_rendered_with_its_densities(
    renderer: Renderer, sample: PosedViews, scene: Scene
) -> None:
    assert scene.density is not None
    assert 0.001 < (scene.density > 0).float().mean() < 0.4
    found = renderer.render(scene, sample.camera[12:16])
    without = renderer.render(replace(scene, density=None), sample.camera[12:16])
    assert (found - without).abs().max() > 1e-3


@pytest.mark.parametrize("group_size", [1, 5])
def test_groups_of_views_on_disk_have_the_same(
    renderer: Renderer, scene: Scene, group_size: int
) -> None:
    views = open_views(SAMPLE, size=32, patch_size=4, views=range(12))
    found = renderer.prefill(
        views, framing="none", dtype=torch.float32, group_size=group_size
    )
    assert torch.equal(found.density, scene.density)
    assert torch.equal(found.photograph, scene.photograph)
    assert torch.equal(found.distance, scene.distance)
    for block, expected in zip(found.fast_weights, scene.fast_weights, strict=True):
        for one, other in zip(block, expected, strict=True):
            torch.testing.assert_close(one, other)


def test_it_keeps_the_photographs(sample: PosedViews, scene: Scene) -> None:
    assert scene.photograph is not None
    assert scene.distance is not None
    assert scene.photograph.shape == (12, 3, 32, 32)
    assert (scene.photograph / 255 - sample.image[:12]).abs().max() <= 0.5 / 255 + 1e-6
    assert scene.distance.shape == (12, 16, 16)
    is_shown = scene.distance.isfinite()
    assert 0.1 < is_shown.float().mean() < 0.7
    assert 1.5 < scene.distance[is_shown].float().mean() < 3.5
    beside = scene.photograph.nbytes + scene.distance.nbytes + 2 * 64**3
    assert scene.num_bytes == scene.fast_weight_bytes + beside


def test_a_camera_of_an_input_sees_its_photograph(
    renderer: Renderer, sample: PosedViews, scene: Scene
) -> None:
    """Of an untrained network a blend of grey and what is reprojected."""
    found = renderer.render(scene, sample.camera[:4]).movedim(-1, 1)
    others = sample.image[[5, 6, 7, 8]]
    truth = sample.image[:4]
    assert (found - truth).square().mean() < (found - others).square().mean()


def test_frames_do_not_depend_on_each_other(
    renderer: Renderer, sample: PosedViews, scene: Scene
) -> None:
    camera = sample.camera[12:15]
    together = renderer.render(scene, camera)
    assert torch.equal(renderer.render(scene, camera[[1]])[0], together[1])


def test_the_file_keeps_it(
    renderer: Renderer, sample: PosedViews, scene: Scene, tmp_path: Path
) -> None:
    path = tmp_path / "a.scene"
    scene.save(path)
    found = Scene.load(path)
    assert torch.equal(found.density, scene.density)
    assert torch.equal(found.photograph, scene.photograph)
    camera = sample.camera[12:14]
    assert torch.equal(renderer.render(found, camera), renderer.render(scene, camera))
    tensors, metadata, _ = read_tensors(path, error=SceneFileError, remedy="")
    write_tensors(
        path, tensors | {"density": tensors["density"][:32].clone()}, metadata
    )
    with pytest.raises(
        SceneFileError, match=r"density is torch.float16 of shape \(32, "
    ):
        Scene.load(path)
    write_tensors(
        path, tensors | {"photograph": tensors["photograph"][:3].clone()}, metadata
    )
    with pytest.raises(SceneFileError, match=r"photograph is torch.uint8 of shape \(3"):
        Scene.load(path)
    left = {name: tensors[name] for name in tensors if name != "distance"}
    write_tensors(path, left, metadata)
    with pytest.raises(SceneFileError, match="do not belong together"):
        Scene.load(path)


def test_an_object_without_white_around_has_none(
    renderer: Renderer, views: PosedViews, ring: Camera
) -> None:
    scene = renderer.prefill(views[:3], framing="none")
    assert scene.density is None
    assert scene.photograph is None
    assert torch.isfinite(renderer.render(scene, ring[3:])).all()


def test_weights_of_scene_poses_need_no_white(views: PosedViews, ring: Camera) -> None:
    renderer = renderer_of("scene")
    scene = renderer.prefill(views[:3], framing="mean_camera")
    assert scene.density is not None
    assert scene.density.any()
    assert torch.isfinite(renderer.render(scene, ring[3:])).all()


def test_it_can_be_cancelled_before_the_first_block(
    renderer: Renderer, sample: PosedViews
) -> None:
    calls: list[int] = []

    def cancel(done: int, total: int) -> None:
        calls.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        renderer.prefill(sample, framing="none", group_size=1, progress=cancel)
    assert calls == [0]


def test_an_older_scene_without_densities_is_rendered_whole(
    renderer: Renderer, views: PosedViews, ring: Camera, tmp_path: Path
) -> None:
    """Its file has a grid in which there is nothing."""
    scene = renderer.prefill(views[:3], framing="none", dtype=torch.float32)
    nothing = torch.zeros(64, 64, 64, dtype=torch.float16)
    replace(scene, density=nothing).save(tmp_path / "a.scene")
    older = Scene.load(tmp_path / "a.scene")
    expected = renderer.render(scene, ring[3:])
    assert torch.equal(renderer.render(older, ring[3:]), expected)
    assert expected.mean() < 0.9


def test_what_weights_do_not_reproject_is_not_looked_at(
    renderer: Renderer, sample: PosedViews, scene: Scene
) -> None:
    config = replace(renderer.config, reprojection=False)
    plain = Renderer(
        random_checkpoint(config),
        model_id="random",
        trained_on=renderer.trained_on,
        device="cpu",
        precision="float32",
    )
    own = plain.prefill(sample[:12], framing="none")
    assert own.photograph is None
    other = replace(own, photograph=scene.photograph, distance=scene.distance)
    camera = sample.camera[12:13]
    assert torch.equal(plain.render(other, camera), plain.render(own, camera))
