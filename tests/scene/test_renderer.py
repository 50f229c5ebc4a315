from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nvs.cameras import Camera, PoseNormalisation
from nvs.errors import CameraError, ConfigError, SceneFileError
from nvs.model.checkpoint import Checkpoint, random_checkpoint
from nvs.model.tokens import posed_rays
from nvs.model.trained_on import TrainedOn
from nvs.scene import PosedViews, Renderer, Scene


def test_equals_the_network_itself(
    renderer: Renderer, views: PosedViews, ring: Camera
) -> None:
    scene = renderer.prefill(views[:4], dtype=torch.float32)
    found = renderer.render(scene, ring[4:])
    posed = posed_rays(views.camera.to(dtype=torch.float32))
    with torch.no_grad():
        expected = renderer.network(posed[:, :4], views.image[None, :4], posed[:, 4:])
    assert found.shape == (2, 16, 24, 3)
    torch.testing.assert_close(
        found.permute(0, 3, 1, 2), expected[0], atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("group_size", [1, 3])
def test_groups_change_only_rounding(
    renderer: Renderer, views: PosedViews, group_size: int
) -> None:
    whole = renderer.prefill(views, dtype=torch.float32)
    grouped = renderer.prefill(views, dtype=torch.float32, group_size=group_size)
    for a, b in zip(whole.fast_weights, grouped.fast_weights, strict=True):
        for x, y in zip(a, b, strict=True):
            torch.testing.assert_close(x, y, atol=1e-5, rtol=0)


def test_a_small_budget_means_small_groups(
    checkpoint: Checkpoint, views: PosedViews, ring: Camera
) -> None:
    tight = Renderer(
        checkpoint, model_id="random", device="cpu", precision="float32", budget_bytes=1
    )
    wide = Renderer(checkpoint, model_id="random", device="cpu", precision="float32")
    assert tight.group_size(16, 24) == 1
    assert wide.group_size(16, 24) > 6
    scene = wide.prefill(views)
    torch.testing.assert_close(
        tight.render(scene, ring), wide.render(scene, ring), atol=1e-5, rtol=0
    )


def test_bfloat16_is_close_and_keeps_residuals(
    checkpoint: Checkpoint, views: PosedViews, ring: Camera
) -> None:
    reference = Renderer(
        checkpoint, model_id="random", device="cpu", precision="float32"
    )
    fast = Renderer(checkpoint, model_id="random", device="cpu", precision="bfloat16")
    block = fast.network.blocks[0]
    assert block.attention.qkv.weight.dtype == torch.bfloat16
    assert block.lact.learning_rate.weight.dtype == torch.float32
    assert block.mlp_norm.weight.dtype == torch.float32
    a = reference.render(reference.prefill(views), ring)
    b = fast.render(fast.prefill(views), ring)
    assert b.dtype == torch.float32
    assert (a - b).abs().mean() < 2e-2


def test_world_frame_does_not_matter_to_scene_weights(
    checkpoint: Checkpoint, views: PosedViews, ring: Camera
) -> None:
    """A rigid motion and a scale of the whole capture change nothing."""
    renderer = Renderer(
        checkpoint,
        model_id="r",
        trained_on=TrainedOn(poses="scene"),
        device="cpu",
        precision="float32",
    )
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] = 3 * torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    matrix[:3, 3] = torch.tensor([5.0, -2, 1])
    move = PoseNormalisation(kind="none", model_from_world=matrix)
    moved = PosedViews(
        image=views.image, camera=move.apply(views.camera), names=views.names
    )
    here = renderer.render(renderer.prefill(views[:3]), ring[3:])
    there = renderer.render(renderer.prefill(moved[:3]), move.apply(ring[3:]))
    torch.testing.assert_close(here, there, atol=2e-4, rtol=0)


def test_framing_follows_the_weights(
    renderer: Renderer, checkpoint: Checkpoint, views: PosedViews
) -> None:
    of_scenes = TrainedOn(poses="scene")
    scene = Renderer(checkpoint, model_id="r", trained_on=of_scenes, device="cpu")
    assert (renderer.trained_on, renderer.poses) == (TrainedOn(), "object")
    assert (scene.trained_on, scene.poses) == (of_scenes, "scene")
    assert renderer.prefill(views).normalisation.kind == "none"
    assert scene.prefill(views[:3]).normalisation.kind == "mean_camera"
    framed = renderer.prefill(views, framing="object").normalisation
    assert framed.kind == "object"
    assert framed.views == tuple(range(6))
    with pytest.raises(ConfigError, match="no framing 'sideways'"):
        renderer.prefill(views, framing="sideways")


def test_progress_can_cancel(renderer: Renderer, views: PosedViews) -> None:
    def cancel(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        renderer.prefill(views, progress=cancel)


def test_another_model_is_refused(
    renderer: Renderer, views: PosedViews, ring: Camera
) -> None:
    other = Renderer(
        random_checkpoint(renderer.config, seed=9), model_id="other", device="cpu"
    )
    with pytest.raises(SceneFileError, match=r"built with random .*, not with other"):
        other.render(renderer.prefill(views), ring)


def test_sizes_must_fit_the_patch(
    renderer: Renderer, views: PosedViews, ring: Camera
) -> None:
    scene = renderer.prefill(views)
    with pytest.raises(CameraError, match=r"20×24 does not fit .* multiples of 8"):
        renderer.render(scene, ring.resized(20, 24))


def test_bad_cameras_are_refused(
    renderer: Renderer, views: PosedViews, ring: Camera
) -> None:
    scene = renderer.prefill(views)
    ring.world_from_camera[1, 0, 0] = float("nan")
    with pytest.raises(CameraError, match="view 1: the pose holds NaN"):
        renderer.render(scene, ring)


def test_devices_and_precisions_that_do_not_exist(checkpoint: Checkpoint) -> None:
    with pytest.raises(ConfigError, match=r"device 'abacus' cannot be used"):
        Renderer(checkpoint, model_id="r", device="abacus")
    with pytest.raises(ConfigError, match=r"no precision 'float8'"):
        Renderer(checkpoint, model_id="r", device="cpu", precision="float8")


def test_rendering_streams(renderer: Renderer, views: PosedViews, ring: Camera) -> None:
    scene = renderer.prefill(views)
    stream = renderer.render_iter(scene, ring)
    first = next(stream)
    assert torch.equal(first, renderer.render(scene, ring)[0])


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu(
    checkpoint: Checkpoint, views: PosedViews, ring: Camera, tmp_path: Path
) -> None:
    cpu = Renderer(checkpoint, model_id="r", device="cpu", precision="float32")
    cuda = Renderer(checkpoint, model_id="r", device="cuda", precision="float32")
    scene = cuda.prefill(views, dtype=torch.float32)
    expected = cpu.render(cpu.prefill(views, dtype=torch.float32), ring)
    torch.testing.assert_close(
        cuda.render(scene, ring).cpu(), expected, atol=1e-3, rtol=0
    )
    scene.save(tmp_path / "a.scene")
    torch.testing.assert_close(
        cpu.render(Scene.load(tmp_path / "a.scene"), ring), expected, atol=1e-3, rtol=0
    )
