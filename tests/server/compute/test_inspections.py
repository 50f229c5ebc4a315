"""Datasets and scene files of strangers, as the inspector reads them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from nvs.api.jobs import BuildRequest, CountedViews, ListedViews
from nvs.api.system import Model
from nvs.assets import SAMPLE
from nvs.errors import CameraError, ConfigError, DatasetError, SceneFileError
from nvs.scene import PosedViews, Renderer, Scene, load_views
from nvs.scene.pictures import to_uint8
from nvs_server.compute import inspections, wire
from nvs_server.compute.inspections import inspect_scene
from nvs_server.compute.orders import FastWeightShapes, PreparedViews, PrepareOrder
from nvs_server.compute.prepared import read_views

DIGEST = "0" * 64


def model(renderer: Renderer, **values: Any) -> Model:
    known = {
        "trained_height": 128,
        "trained_width": 128,
        "max_height": 256,
        "max_width": 256,
        "max_views": 24,
    } | values
    return Model(
        id=renderer.model_id,
        is_default=True,
        poses="object",
        patch_size=renderer.config.patch_size,
        num_parameters=1,
        digest=renderer.model_digest,
        description="",
        **known,
    )


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer.from_weights(device="cpu")


@pytest.fixture
def prepare(tmp_path: Path, renderer: Renderer) -> Callable[..., PreparedViews]:
    def run(max_views: int = 24, folder: Path = SAMPLE, **values: Any) -> PreparedViews:
        request = BuildRequest.model_validate({"size": 16} | values)
        return inspections.prepare(
            PrepareOrder(folder=folder, output=tmp_path / "out", request=request),
            model(renderer, max_views=max_views),
            lambda _: None,
        )

    return run


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    shutil.copytree(SAMPLE, folder)
    return folder


def assert_same(one: PosedViews, other: PosedViews) -> None:
    assert torch.equal(one.image, other.image)
    assert torch.equal(one.camera.world_from_camera, other.camera.world_from_camera)
    assert torch.equal(one.camera.intrinsics, other.camera.intrinsics)
    assert one.camera.intrinsics.dtype == other.camera.intrinsics.dtype
    assert one.names == other.names


@pytest.mark.parametrize(
    "size", [16, (16, 24), (17, 31)], ids=["side", "wide", "rounded"]
)
def test_prepared_views_are_those_of_load_views_bit_by_bit(
    prepare: Callable[..., PreparedViews], renderer: Renderer, size: Any
) -> None:
    prepared = prepare(size=size)
    views = load_views(SAMPLE, size=size, patch_size=renderer.config.patch_size)
    assert_same(read_views(prepared.views), views)
    assert (prepared.height, prepared.width) == tuple(views.image.shape[-2:])


def test_without_a_size_it_is_that_of_training(
    prepare: Callable[..., PreparedViews],
) -> None:
    prepared = prepare(size=None, views=ListedViews(indices=[0]))
    assert (prepared.height, prepared.width) == (128, 128)


def test_without_a_size_others_than_squares_keep_the_aspect_of_the_images(
    renderer: Renderer, tmp_path: Path
) -> None:
    request = BuildRequest(views=ListedViews(indices=[0]))
    order = PrepareOrder(folder=SAMPLE, output=tmp_path, request=request)
    prepared = inspections.prepare(
        order,
        model(renderer, trained_height=72, trained_width=128),
        lambda _: None,
    )
    assert (prepared.height, prepared.width) == (128, 128)  # the sample is square


def test_weights_of_unknown_training_take_images_as_they_are(
    renderer: Renderer, tmp_path: Path
) -> None:
    request = BuildRequest(views=ListedViews(indices=[0]))
    order = PrepareOrder(folder=SAMPLE, output=tmp_path, request=request)
    prepared = inspections.prepare(
        order,
        model(renderer, trained_height=None, trained_width=None),
        lambda _: None,
    )
    assert (prepared.height, prepared.width) == (256, 256)


def test_pictures_show_what_the_network_sees(
    prepare: Callable[..., PreparedViews],
) -> None:
    prepared = prepare(views=ListedViews(indices=[5, 2]))
    views = load_views(SAMPLE, size=16, views=[5, 2])
    assert [view.index for view in prepared.inputs] == [0, 1]
    for view, image in zip(prepared.inputs, views.image, strict=True):
        assert view.image is not None
        with Image.open(view.image) as shown:
            expected = to_uint8(image.permute(1, 2, 0))
            assert shown.tobytes() == expected.tobytes()
        with Image.open(view.thumbnail) as thumbnail:
            assert (thumbnail.format, thumbnail.size) == ("JPEG", (16, 16))
        assert view.name == views.names[view.index]
        assert view.camera.fx == views.camera.intrinsics[view.index, 0]
        pose = torch.tensor(view.camera.world_from_camera, dtype=torch.float64)
        assert torch.equal(pose, views.camera.world_from_camera[view.index])


@pytest.mark.parametrize("method", ["kmeans", "farthest", "uniform", "random"])
def test_views_are_chosen_by_every_method(
    prepare: Callable[..., PreparedViews], method: Any
) -> None:
    prepared = prepare(views=CountedViews(count=4, method=method, seed=1))
    assert 1 <= len(prepared.inputs) <= 4
    again = prepare(views=CountedViews(count=4, method=method, seed=1))
    assert [v.name for v in prepared.inputs] == [v.name for v in again.inputs]


def test_progress_grows_to_one(renderer: Renderer, tmp_path: Path) -> None:
    ticks: list[float] = []
    inspections.prepare(
        PrepareOrder(folder=SAMPLE, output=tmp_path, request=BuildRequest(size=16)),
        model(renderer),
        ticks.append,
    )
    assert ticks == sorted(ticks)
    assert ticks[-1] == 1
    assert len(ticks) == 24


def test_views_that_are_held_out_are_apart(
    prepare: Callable[..., PreparedViews],
) -> None:
    prepared = prepare(views=ListedViews(indices=[5, 2, 9]), holdout=2)
    assert prepared.held_out is not None
    assert_same(read_views(prepared.views), load_views(SAMPLE, size=16, views=[2]))
    assert_same(
        read_views(prepared.held_out), load_views(SAMPLE, size=16, views=[5, 9])
    )
    assert [view.name for view in prepared.inputs] == ["renderings/00000002_rgba.png"]
    with pytest.raises(ConfigError, match="cannot be kept out"):
        prepare(views=ListedViews(indices=[5]), holdout=2)


def test_what_cannot_be_prepared_is_named(
    prepare: Callable[..., PreparedViews], copy: Path
) -> None:
    with pytest.raises(ConfigError, match="24 views are chosen, over the limit of 8"):
        prepare(max_views=8)
    with pytest.raises(ConfigError, match="264×264 is over the limit of 256×256"):
        prepare(size=264)
    with pytest.raises(DatasetError, match="no view 24"):
        prepare(views=ListedViews(indices=[0, 24]))
    with pytest.raises(ConfigError, match="cannot choose 25 of 24 views"):
        prepare(views=CountedViews(count=25))
    (copy / "opencv_cameras.json").write_text("[")
    with pytest.raises(DatasetError, match="not readable JSON"):
        prepare(folder=copy)


def test_cameras_are_read_without_images(copy: Path) -> None:
    everything = inspections.inspect_cameras(copy)
    assert (everything.layout, everything.num_frames) == ("opencv", 24)
    assert everything.missing == []
    (copy / "renderings/00000003_rgba.png").unlink()
    some = inspections.inspect_cameras(copy)
    assert some.missing == ["renderings/00000003_rgba.png"]
    shutil.rmtree(copy / "renderings")
    none = inspections.inspect_cameras(copy)
    assert (none.num_frames, none.num_missing, len(none.missing)) == (24, 24, 20)


def test_an_unknown_layout_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="in no known dataset layout") as caught:
        inspections.inspect_cameras(tmp_path)
    assert "opencv" in caught.value.remedy


def test_findings_name_their_views(copy: Path, renderer: Renderer) -> None:
    cameras = json.loads((copy / "opencv_cameras.json").read_text())
    cameras[2]["w2c"][0][0] += 1
    (copy / "opencv_cameras.json").write_text(json.dumps(cameras))
    (copy / "renderings/00000003_rgba.png").unlink()
    found = inspections.validate(copy, model(renderer), renderer.trained_on)
    assert found.verdict == "error"
    missing, *findings = found.findings
    assert missing.severity == "warning"
    assert missing.title == "Missing images"
    assert missing.views == ["renderings/00000003_rgba.png"]
    errors = [finding for finding in findings if finding.severity == "error"]
    assert [finding.views for finding in errors] == [["renderings/00000002_rgba.png"]]
    assert errors[0].title[0].isupper()
    assert errors[0].detail
    assert errors[0].remedy
    assert found.expectation is None


@pytest.fixture(scope="module")
def scene(renderer: Renderer) -> Scene:
    return renderer.prefill(load_views(SAMPLE, size=16, views=[0, 4]))


@pytest.fixture
def inspect(renderer: Renderer, tmp_path: Path) -> Callable[[Scene], Any]:
    layers = renderer.network.layers
    shapes = FastWeightShapes(
        num_blocks=len(layers),
        matrices=tuple(tuple(w.shape) for w in layers[0].lact.initial),
    )

    def run(scene: Scene) -> Any:
        scene.save(tmp_path / "x.scene")
        return inspect_scene(
            tmp_path / "x.scene",
            DIGEST,
            tmp_path / "thumbnails",
            models=[wire.to_json(model(renderer))],
            shapes=[wire.to_json(shapes)],
            trained_on=[renderer.trained_on.to_json()],
        )

    return run


def test_a_scene_file_is_described(
    inspect: Callable[[Scene], Any], scene: Scene
) -> None:
    info = inspect(scene)
    file = info.file
    assert (file.weights, file.height, file.width) == ("lact_small", 16, 16)
    assert (file.sha256, file.num_views) == (DIGEST, 2)
    assert (file.up, file.unframed) == (scene.up, False)
    assert [view.name for view in info.inputs] == list(scene.input_names)
    assert info.inputs[0].image is None
    with Image.open(info.inputs[1].thumbnail) as thumbnail:
        assert thumbnail.size == (16, 16)


def test_scene_files_that_cannot_be_served_are_refused(
    inspect: Callable[[Scene], Any], scene: Scene
) -> None:
    def refused(kind: type[Exception], match: str, **values: Any) -> None:
        with pytest.raises(kind, match=match):
            inspect(replace(scene, **values))

    refused(SceneFileError, "which is not served here", model_digest="0" * 64)
    blocks = scene.fast_weights
    refused(SceneFileError, "do not fit the weights", fast_weights=blocks[:-1])
    bad = tuple(tuple(w * float("nan") for w in block) for block in blocks)
    refused(SceneFileError, "not all finite", fast_weights=bad)
    assert scene.density is not None
    assert scene.distance is not None
    assert scene.photograph is not None
    refused(SceneFileError, "densities or distances", density=-1 - scene.density)
    far = scene.distance * float("nan")
    refused(SceneFileError, "densities or distances", distance=far)
    shown = {"photograph": scene.photograph[:1], "thumbnail": scene.thumbnail[:1]}
    shown["distance"] = scene.distance[:1]
    refused(SceneFileError, r"is .* \(1,", **shown)
    scene = replace(scene, photograph=None, distance=None)
    refused(SceneFileError, r"thumbnail is .* \(1,", thumbnail=scene.thumbnail[:1])
    none = {"input_camera": scene.input_camera[[]], "input_names": ()}
    refused(SceneFileError, "no inputs", thumbnail=scene.thumbnail[:0], **none)
    wide = torch.zeros(2, 8, 600, 3, dtype=torch.uint8)
    refused(SceneFileError, "thumbnails or sizes", thumbnail=wide)
    camera = replace(scene.input_camera, height=10**6)
    refused(SceneFileError, "thumbnails or sizes", input_camera=camera)
    poses = scene.input_camera.world_from_camera * 2
    camera = replace(scene.input_camera, world_from_camera=poses)
    refused(CameraError, "last row of the pose", input_camera=camera)


@pytest.mark.parametrize("left", [None, 0, 5, 100, 2000])
def test_prepared_views_that_are_cut_off_or_missing_are_refused(
    prepare: Callable[..., PreparedViews], left: int | None
) -> None:
    file = prepare(views=ListedViews(indices=[0, 1])).views
    data = file.read_bytes()
    file.unlink()
    if left is not None:
        file.write_bytes(data[:left])
    with pytest.raises(DatasetError, match="the prepared views cannot be read"):
        read_views(file)
