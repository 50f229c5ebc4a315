from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

import nvs.scene.scene
from nvs.cameras import Camera
from nvs.config import ModelConfig
from nvs.errors import OutputError, SceneFileError
from nvs.model.checkpoint import random_checkpoint
from nvs.model.trained_on import TrainedOn
from nvs.scene import PosedViews, Renderer, Scene
from nvs.tensor_file import read_tensors, write_tensors


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


def test_the_pivot_of_a_scene_with_positions_is_kept(
    views: PosedViews, ring: Camera, tmp_path: Path
) -> None:
    """Scene poses turn about where the inputs look; an older file about the origin."""
    config = ModelConfig(
        dim=32,
        num_blocks=2,
        fast_head_dim=32,
        attention_head_dim=16,
        fast_position="ray_point",
    )
    renderer = Renderer(
        random_checkpoint(config),
        model_id="random",
        trained_on=TrainedOn(poses="scene"),
        device="cpu",
        precision="float32",
    )
    views = views[:3]
    scene = renderer.prefill(views, dtype=torch.float32)
    assert scene.pivot.norm() > 0.1
    path = tmp_path / "a.scene"
    scene.save(path)
    found = Scene.load(path)
    assert torch.equal(found.pivot, scene.pivot)
    assert torch.equal(renderer.render(found, ring), renderer.render(scene, ring))
    tensors, metadata, _ = read_tensors(path, error=SceneFileError, remedy="")
    older = {key: value for key, value in metadata.items() if key != "pivot"}
    write_tensors(path, tensors, older)
    assert Scene.load(path).pivot.tolist() == [0, 0, 0]
    for wrong in ([1, 2], "origin", [1, 2, None]):
        write_tensors(path, tensors, metadata | {"pivot": wrong})
        with pytest.raises(SceneFileError, match=r"pivot (is|holds)"):
            Scene.load(path)


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


def test_missing_parts(saved: Path) -> None:
    tensors, metadata, _ = read_tensors(saved, error=SceneFileError, remedy="")
    for name in tensors:
        rest = {other: tensors[other] for other in tensors if other != name}
        write_tensors(saved, rest, metadata)
        with pytest.raises(SceneFileError, match=r"blocks\.\d|input\."):
            Scene.load(saved)
    for key in metadata.keys() - {"pivot", "up", "precision"}:
        rest = {other: metadata[other] for other in metadata if other != key}
        write_tensors(saved, tensors, rest)
        with pytest.raises(SceneFileError, match=f"{key} is missing|not a scene"):
            Scene.load(saved)


JUNK = [None, True, -1, 0, 2.5, 1e400, "", "a\ud800b", [], [1], ["a", 2], {}, {"a": 1}]


@pytest.mark.parametrize("key", ["height", "input_names", "model_id", "normalisation"])
def test_nothing_but_a_scene_file_error_comes_of_any_metadata(
    scene: Scene, saved: Path, key: str
) -> None:
    tensors, metadata, _ = read_tensors(saved, error=SceneFileError, remedy="")
    for junk in JUNK:
        write_tensors(saved, tensors, metadata | {key: junk})
        if key == "model_id" and isinstance(junk, str) and junk:
            assert Scene.load(saved).model_id == junk
            continue
        with pytest.raises(SceneFileError, match=rf"a\.scene: .*({key}|input)"):
            Scene.load(saved)


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_any_file_is_a_scene_or_a_scene_file_error(saved: Path, data) -> None:
    """Parts and values replaced by others, under a digest that is right."""
    file = saved.with_name("changed.scene")
    tensors, metadata, _ = read_tensors(saved, error=SceneFileError, remedy="")
    key = data.draw(st.sampled_from(sorted(metadata)))
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    )
    changed = metadata | {key: data.draw(values)}
    if key == "normalisation" and data.draw(st.booleans()):
        inside = data.draw(st.sampled_from(sorted(metadata[key])))
        changed = metadata | {key: metadata[key] | {inside: data.draw(values)}}
    name = data.draw(st.sampled_from([*sorted(tensors), "blocks.x", "blocks.9.w0"]))
    shape = data.draw(st.lists(st.integers(0, 4), max_size=5))
    kind = data.draw(st.sampled_from([torch.float32, torch.uint8, torch.bool]))
    other = tensors | {name: torch.zeros(shape).to(kind)}
    for parts, about in ((other, metadata), (tensors, changed), (other, changed)):
        write_tensors(file, parts, about)
        try:
            loaded = Scene.load(file)
        except SceneFileError:
            continue
        assert len(loaded.input_names) == len(loaded.thumbnail)
        assert loaded.dtype.is_floating_point


@pytest.mark.parametrize("text", ["[]", "3", "null", '"a"', "[" * 100_000, "{"])
def test_metadata_that_is_no_object(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.scene"
    save_file({"a": torch.zeros(2)}, path, metadata={"nvs": text, "digest": "0"})
    with pytest.raises(SceneFileError):
        Scene.load(path)


def test_places_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "x", tmp_path / ("x" * 300), "a\0b"):
        with pytest.raises(SceneFileError):
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
