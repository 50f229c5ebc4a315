"""Scenes find the weights that built them, or say what is in their place."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nvs.assets import WEIGHTS
from nvs.config import ModelConfig
from nvs.errors import CheckpointError, SceneFileError
from nvs.model.checkpoint import random_checkpoint, save_checkpoint
from nvs.model.shards import split_file
from nvs.scene import PosedViews, Renderer, Scene
from nvs.scene.scene import built_with
from nvs.tensor_file import read_tensors, write_tensors

CONFIG = ModelConfig(dim=32, num_blocks=1, attention_head_dim=16, fast_head_dim=32)


def save(path: Path, seed: int) -> Path:
    path.parent.mkdir(exist_ok=True)
    save_checkpoint(path, CONFIG, random_checkpoint(CONFIG, seed).state, about={})
    return path


def build(weights: Path | str, views: PosedViews, path: Path) -> Scene:
    """A scene that went through its file."""
    Renderer.from_weights(str(weights), device="cpu").prefill(views).save(path)
    return Scene.load(path)


@pytest.mark.parametrize("form", ["file", "folder", "shards"])
def test_files_and_folders_are_remembered(
    views: PosedViews, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    whole = save(tmp_path / "mine" / "weights.safetensors", 1)
    if form == "shards":
        split_file(whole, 40_000)
        whole.unlink()
    asked = whole if form == "file" else whole.parent
    monkeypatch.chdir(tmp_path)
    scene = build(asked.relative_to(tmp_path), views, tmp_path / "a.scene")
    assert scene.weights_hint == str(asked)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = built_with(scene)
    assert found.checkpoint.digest == scene.model_digest
    assert found.path == asked


def test_a_folder_may_change_its_form(views: PosedViews, tmp_path: Path) -> None:
    whole = save(tmp_path / "mine" / "weights.safetensors", 1)
    scene = build(whole.parent, views, tmp_path / "a.scene")
    split_file(whole, 40_000)
    whole.unlink()
    assert built_with(scene).checkpoint.digest == scene.model_digest


def test_registered_names_leave_no_hint(views: PosedViews, tmp_path: Path) -> None:
    scene = build("lact_small", views, tmp_path / "a.scene")
    _, metadata, _ = read_tensors(
        tmp_path / "a.scene", error=SceneFileError, remedy="-"
    )
    assert "weights_hint" not in metadata
    assert scene.weights_hint is None
    assert built_with(scene).name == "lact_small"


@pytest.mark.parametrize("gone", ["file", "export"])
def test_weights_that_are_gone_are_named(
    views: PosedViews, tmp_path: Path, gone: str
) -> None:
    whole = save(tmp_path / "mine" / "weights.safetensors", 1)
    asked = whole if gone == "file" else whole.parent
    scene = build(asked, views, tmp_path / "a.scene")
    whole.unlink()
    with pytest.raises(
        SceneFileError, match=rf"no weights at {asked} any more\. Say with --weights"
    ):
        built_with(scene)


def test_weights_that_were_replaced_are_not_used(
    views: PosedViews, tmp_path: Path
) -> None:
    path = save(tmp_path / "mine.safetensors", 1)
    scene = build(path, views, tmp_path / "a.scene")
    save(path, 2)
    digest, other = scene.model_digest[:12], random_checkpoint(CONFIG, 2).digest[:12]
    with pytest.raises(
        SceneFileError,
        match=rf"built with mine \({digest}…\), but {path} has another "
        rf"digest \({other}…\)\. Say with --weights",
    ):
        built_with(scene)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match=str(path)):
        built_with(scene)


def test_a_file_with_a_registered_name_is_not_taken_for_those_weights(
    views: PosedViews, tmp_path: Path
) -> None:
    path = save(tmp_path / "lact_small.safetensors", 1)
    scene = build(path, views, tmp_path / "a.scene")
    assert scene.model_id == "lact_small"
    assert built_with(scene).path == path
    path.unlink()
    with pytest.raises(
        SceneFileError, match=rf"at {path} any more and lact_small has another digest"
    ):
        built_with(scene)


def test_a_copy_of_registered_weights_may_go(views: PosedViews, tmp_path: Path) -> None:
    path = tmp_path / "lact_small.safetensors"
    shutil.copy(WEIGHTS / path.name, path)
    scene = build(path, views, tmp_path / "a.scene")
    path.unlink()
    assert built_with(scene).path is None


def test_older_files_have_no_hint(views: PosedViews, tmp_path: Path) -> None:
    path = tmp_path / "a.scene"
    build(save(tmp_path / "mine.safetensors", 1), views, path)
    tensors, metadata, _ = read_tensors(path, error=SceneFileError, remedy="-")
    del metadata["weights_hint"]
    write_tensors(path, tensors, metadata)
    scene = Scene.load(path)
    assert scene.weights_hint is None
    with pytest.raises(
        SceneFileError,
        match=r"built with mine .*does not say where they are\. Say with",
    ):
        built_with(scene)
    write_tensors(path, tensors, metadata | {"weights_hint": 3})
    with pytest.raises(SceneFileError, match="weights_hint is 3"):
        Scene.load(path)


@pytest.mark.parametrize("hint", ["", "a\0b", "x" * 5000, "/dev/null", "/"])
def test_hints_of_strangers_are_no_way_in(
    views: PosedViews, tmp_path: Path, hint: str
) -> None:
    scene = build(save(tmp_path / "mine.safetensors", 1), views, tmp_path / "a.scene")
    with pytest.raises(SceneFileError, match="no weights at"):
        built_with(replace(scene, weights_hint=hint))


def test_a_renderer_of_found_weights_renders_the_scene(
    views: PosedViews, tmp_path: Path
) -> None:
    path = save(tmp_path / "mine.safetensors", 1)
    scene = build(path, views, tmp_path / "a.scene")
    found = Renderer.from_weights(built_with(scene), device="cpu")
    expected = Renderer.from_weights(str(path), device="cpu")
    assert found.weights_hint == expected.weights_hint == str(path)
    assert torch.equal(
        found.render(scene, views.camera), expected.render(scene, views.camera)
    )
