from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

import nvs.scene.scene
from nvs.cameras import Camera
from nvs.errors import OutputError, SceneFileError
from nvs.scene import PosedViews, Renderer, Scene
from nvs.tensor_file import write_tensors


@pytest.fixture
def scene(renderer: Renderer, views: PosedViews) -> Scene:
    return renderer.prefill(views, framing="object", dtype=torch.float32)


@pytest.fixture
def saved(scene: Scene, tmp_path: Path) -> Path:
    path = tmp_path / "a.scene"
    scene.save(path)
    return path


def test_float32_round_trip_is_lossless(
    scene: Scene, saved: Path, renderer: Renderer, ring: Camera
) -> None:
    found = Scene.load(saved)
    for a, b in zip(scene.fast_weights, found.fast_weights, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    assert found.normalisation.kind == "object"
    assert torch.equal(
        found.normalisation.model_from_world, scene.normalisation.model_from_world
    )
    assert torch.equal(
        found.input_camera.world_from_camera, scene.input_camera.world_from_camera
    )
    assert torch.equal(found.thumbnail, scene.thumbnail)
    for name in ("input_names", "model_id", "model_digest", "created_with"):
        assert getattr(found, name) == getattr(scene, name)
    assert torch.equal(renderer.render(found, ring), renderer.render(scene, ring))


def test_bfloat16_is_the_default_and_half_the_size(
    renderer: Renderer, views: PosedViews, scene: Scene, ring: Camera
) -> None:
    small = renderer.prefill(views, framing="object")
    assert small.dtype == torch.bfloat16
    assert small.num_bytes * 2 == scene.num_bytes
    error = renderer.render(small, ring) - renderer.render(scene, ring)
    assert error.abs().mean() < 1e-2


def test_the_same_scene_is_the_same_file(
    scene: Scene, saved: Path, tmp_path: Path
) -> None:
    for name in ("b.scene", "c.scene", "d.scene", "e.scene"):
        scene.save(tmp_path / name)
        assert (tmp_path / name).read_bytes() == saved.read_bytes()


def test_digest_names_the_content(scene: Scene, saved: Path, tmp_path: Path) -> None:
    assert scene.save(tmp_path / "b.scene") == Scene.load(saved).save(
        tmp_path / "c.scene"
    )
    other = scene.to(dtype=torch.bfloat16).save(tmp_path / "d.scene")
    assert other != scene.save(tmp_path / "b.scene")


@pytest.mark.parametrize("size", [0, 4, 1000, -1])
def test_truncated(saved: Path, size: int) -> None:
    saved.write_bytes(saved.read_bytes()[:size])
    with pytest.raises(SceneFileError, match=r"truncated or not a safetensors"):
        Scene.load(saved)


@pytest.mark.parametrize("where", [0.2, 0.6, 0.999])
def test_flipped_bit(saved: Path, where: float) -> None:
    content = bytearray(saved.read_bytes())
    content[int(where * len(content))] ^= 0x10
    saved.write_bytes(content)
    with pytest.raises(SceneFileError, match=r"damaged: .* build it again"):
        Scene.load(saved)


def test_edited_metadata(saved: Path) -> None:
    content = saved.read_bytes()
    assert content.count(b"random") == 1
    saved.write_bytes(content.replace(b"random", b"Random"))
    with pytest.raises(SceneFileError, match="damaged"):
        Scene.load(saved)


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "x.scene"
    with pytest.raises(SceneFileError, match="there is no such file"):
        Scene.load(path)
    write_tensors(path, {"a": torch.zeros(2)}, {"format": "something"})
    with pytest.raises(SceneFileError, match="not a scene file"):
        Scene.load(path)


def test_later_version(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "x.scene"
    write_tensors(path, {"a": torch.zeros(2)}, scene._metadata() | {"version": 99})
    with pytest.raises(SceneFileError, match=r"version 99, .* Upgrade"):
        Scene.load(path)


def test_missing_part(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "x.scene"
    write_tensors(path, {"a": torch.zeros(2)}, scene._metadata())
    with pytest.raises(SceneFileError, match=r"lacks a part of a scene: .*input"):
        Scene.load(path)


def test_full_disk_keeps_the_old_file(
    scene: Scene, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"no space left .*a\.scene"):
        scene.save(saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved], "temporary files were left"


def test_interrupted_save_leaves_nothing(
    scene: Scene, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nvs.tensor_file.save_file", interrupt)
    before = saved.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        scene.save(saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_thumbnails_are_small_pictures_of_the_inputs(
    scene: Scene, views: PosedViews
) -> None:
    assert scene.thumbnail.shape == (6, 16, 24, 3)
    expected = (views.image.permute(0, 2, 3, 1) * 255).round().to(torch.uint8)
    assert torch.equal(scene.thumbnail, expected)
    assert nvs.scene.scene.VERSION == 1
