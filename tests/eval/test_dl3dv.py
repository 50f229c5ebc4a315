"""The DL3DV protocol: targets, k-means inputs, index files, framing, the whole way."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from nvs.cameras import Camera, PoseNormalisation
from nvs.errors import CameraError, ConfigError, DatasetError
from nvs.scene.datasets import read_dataset
from nvs_data.readers.dl3dv import DL3DVReader
from nvs_eval.protocols.base import SceneFolder, read_index
from nvs_eval.protocols.dl3dv import Dl3dvProtocol, choose_views
from nvs_eval.runs import RunSettings, run


def walk(count: int) -> Camera:
    """Cameras on a wavy arc around a sphere, all looking at it."""
    angle = torch.linspace(0, 1.5 * math.pi, count, dtype=torch.float64)
    eye = torch.stack(
        [3 * angle.cos(), 3 * angle.sin(), 0.5 + 0.4 * (3 * angle).sin()], dim=-1
    )
    return Camera.look_at(
        eye,
        torch.zeros(3, dtype=torch.float64),
        up=torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64),
        hfov_radians=1.0,
        height=40,
        width=72,
    )


@pytest.fixture
def capture(write_sphere, tmp_path: Path) -> Path:
    """41 frames in DL3DV's layout: `nerfstudio/transforms.json` with `images_4`."""
    scene = tmp_path / "scenes" / "3f9a"
    write_sphere(scene / "nerfstudio", walk(41), "nerfstudio")
    inner = scene / "nerfstudio"
    file = inner / "transforms.json"
    content = json.loads(file.read_text())
    for key in ("w", "h", "fl_x", "fl_y", "cx", "cy"):
        content[key] *= 4
    content["frames"].reverse()  # file order is not capture order
    file.write_text(json.dumps(content))
    (inner / "images").rename(inner / "images_4")
    return scene


@pytest.fixture
def protocol(tmp_path: Path) -> Dl3dvProtocol:
    return Dl3dvProtocol(indices=tmp_path / "indices")


def test_targets_are_every_8th_frame_and_inputs_by_k_means(capture, protocol) -> None:
    assert DL3DVReader().recognises(capture)
    split = protocol.split(SceneFolder(name="3f9a", path=capture), [4, 16, 64])
    targets = sorted(split.names[view] for view in split.targets)
    assert [Path(name).stem for name in targets] == [
        f"{index:04d}" for index in range(0, 41, 8)
    ]
    assert list(split.inputs) == [4, 16]
    assert "only 35 frames" in split.impossible[64]
    for count, inputs in split.inputs.items():
        assert not set(inputs) & set(split.targets)
        names = [split.names[view] for view in inputs]
        assert names == sorted(names), "in capture order"
        assert 0 < len(inputs) <= count


def test_k_means_is_over_centre_and_axis_of_the_other_frames(capture, protocol) -> None:
    from sklearn.cluster import KMeans

    split = protocol.split(SceneFolder(name="3f9a", path=capture), [4])
    frames = sorted(read_dataset(capture).frames, key=lambda frame: frame.name)
    others = [frame for index, frame in enumerate(frames) if index % 8]
    feature = np.array(
        [[*f.camera.center[0].tolist(), *f.camera.forward[0].tolist()] for f in others]
    )
    centres = KMeans(4, random_state=0, n_init="auto").fit(feature).cluster_centers_
    nearest = {others[int(((feature - c) ** 2).sum(1).argmin())].name for c in centres}
    assert {split.names[view] for view in split.inputs[4]} == nearest


def test_the_index_file_is_made_once_and_used_ever_after(
    capture, protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = SceneFolder(name="3f9a", path=capture)
    first = protocol.split(scene, [4])
    path = protocol.folder / "3f9a.json"
    content = read_index(path)
    assert content["scikit_learn"].count(".") >= 1
    assert content["seed"] == 0
    assert set(content["inputs"]) == {"4", "16", "32"}

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("chosen again")

    monkeypatch.setattr("nvs_eval.protocols.dl3dv.k_means", refuse)
    assert protocol.split(scene, [4]) == first
    with pytest.raises(DatasetError, match="has no input set of 5 views"):
        protocol.split(scene, [5])


def test_an_index_file_belongs_to_its_cameras(capture, protocol) -> None:
    scene = SceneFolder(name="3f9a", path=capture)
    protocol.split(scene, [4])
    file = capture / "nerfstudio" / "transforms.json"
    content = json.loads(file.read_text())
    content["frames"][3]["transform_matrix"][0][3] += 0.5
    file.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="was made for other frames or cameras"):
        protocol.split(scene, [4])
    path = protocol.folder / "3f9a.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(DatasetError, match="does not match its own hash"):
        protocol.split(scene, [4])


def test_framing_by_inputs_sees_no_target(tmp_path: Path) -> None:
    camera = walk(12)
    inputs, targets, moved = camera[:8], camera[8:], camera[5:9]
    ours = Dl3dvProtocol(indices=tmp_path)
    theirs = Dl3dvProtocol(indices=tmp_path, normalise="inputs+targets")
    matrix = ours.normalisation(inputs, targets).model_from_world
    expected = PoseNormalisation.from_mean_camera(inputs).model_from_world
    assert torch.equal(matrix, expected)
    assert torch.equal(matrix, ours.normalisation(inputs, moved).model_from_world)
    with_targets = theirs.normalisation(inputs, targets).model_from_world
    assert not torch.allclose(with_targets, matrix, atol=1e-3)
    assert "as published" in theirs.normalise
    with pytest.raises(ConfigError, match="normalised by 'all'"):
        Dl3dvProtocol(normalise="all")


@pytest.mark.usefixtures("no_lpips")
def test_a_scene_goes_the_whole_way(capture, weights, tmp_path: Path) -> None:
    shutil.copytree(capture, capture.parent / "broken")
    (capture.parent / "broken" / "nerfstudio" / "transforms.json").write_text("[]")
    settings = RunSettings(
        protocol="dl3dv",
        data=(str(capture.parent),),
        weights=(str(weights),),
        views=(4, 16, 64),
        sizes=((32, 64),),
        indices=str(tmp_path / "indices"),
        out=str(tmp_path / "run"),
        normalise="inputs+targets",
        device="cpu",
    )
    record = run(settings)
    assert len(record.rows) == 2 * 3
    row = record.rows[0]
    assert (row["height"], row["width"], row["num_images"]) == (32, 64, 6)
    assert row["normalised_by"] == "inputs and targets, as published"
    assert not set(row["inputs"]) & set(row["targets"])
    errors = {f["scene"]: f["error"] for f in record.failures}
    assert set(errors) == {"broken", "3f9a"}
    assert errors["3f9a"] == "only 35 frames are no targets"
    nearest = [r for r in record.rows if r["method"] == "nearest"]
    assert nearest[1]["psnr"] > nearest[0]["psnr"], "16 inputs come closer than 4"


@pytest.mark.slow
@pytest.mark.usefixtures("no_lpips")
def test_a_real_capture_goes_the_whole_way(
    shared: Path, weights, tmp_path: Path
) -> None:
    settings = RunSettings(
        protocol="dl3dv",
        data=(str(shared / "data" / "fox"),),
        weights=(str(weights),),
        views=(4, 16),
        sizes=((64, 40),),
        indices=str(tmp_path / "indices"),
        out=str(tmp_path / "run"),
        device="cpu",
    )
    record = run(settings)
    assert record.failures == []
    assert {row["num_images"] for row in record.rows} == {7}, "50 photographs exist"
    assert {row["normalised_by"] for row in record.rows} == {"inputs"}


def test_frames_that_cannot_be_used_are_named(capture) -> None:
    frames = list(read_dataset(capture).frames)
    bad = frames[3].camera.world_from_camera.clone()
    bad[0, 0, 3] = float("nan")
    object.__setattr__(frames[3].camera, "world_from_camera", bad)
    with pytest.raises(CameraError, match=frames[3].name):
        choose_views("a", frames, [4])
