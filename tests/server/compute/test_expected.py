"""What a build would make of a capture, said before it is made."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from nvs.api.framing import Convention, Expectation
from nvs.api.jobs import BuildRequest
from nvs.api.system import Model
from nvs.assets import SAMPLE
from nvs.errors import ConfigError
from nvs.model.trained_on import TrainedOn
from nvs.scene import Renderer, load_views
from nvs.scene.frames import PoseConvention
from nvs_server.compute import inspections
from nvs_server.compute.expected import expect, expectation

TRAINED_ON = TrainedOn(
    poses="object", distance=(2.0, 3.4), hfov_degrees=(35.0, 65.0), background="white"
)
MODEL = Model(
    id="some",
    is_default=True,
    poses="object",
    patch_size=8,
    num_parameters=1,
    digest="0" * 64,
    trained_height=16,
    trained_width=16,
    max_height=256,
    max_width=256,
    max_views=24,
    description="",
)


def told(folder: Path = SAMPLE, *, look: bool = True, **values: Any) -> Expectation:
    request = BuildRequest.model_validate(values)
    return expect(folder, request, MODEL, TRAINED_ON, look=look)


@pytest.fixture
def outwards(tmp_path: Path) -> Path:
    """The sample's cameras, turned about where they stand: they look at nothing."""
    folder = tmp_path / "set"
    shutil.copytree(SAMPLE, folder)
    cameras = json.loads((folder / "opencv_cameras.json").read_text())
    for camera in cameras:
        for row in (0, 2):
            camera["w2c"][row] = [-value for value in camera["w2c"][row]]
    (folder / "opencv_cameras.json").write_text(json.dumps(cameras))
    return folder


def test_it_is_what_the_build_says() -> None:
    renderer = Renderer.from_weights(device="cpu")
    views = load_views(SAMPLE, size=16, views=[0, 4, 9])
    for values in ({}, {"framing": "mean_camera"}, {"up": [0, 1, 0]}):
        request = BuildRequest.model_validate(
            {"size": 16, "views": {"indices": [0, 4, 9]}} | values
        )
        model = MODEL.model_copy(update={"id": renderer.model_id})
        framing = renderer.frame(views, request.framing, up=request.up)
        assert expect(
            SAMPLE, request, model, renderer.trained_on, look=True
        ) == expectation(framing, views.names, renderer.model_id)


def test_the_sample_is_where_object_weights_were_trained() -> None:
    fine = told()
    assert (fine.weights, fine.verdict, fine.framing) == ("some", "fine", "none")
    assert fine.concerns == []
    assert math.hypot(*fine.up) == pytest.approx(1)


def test_what_cannot_work_says_why(outwards: Path) -> None:
    hopeless = told(outwards)
    assert (hopeless.verdict, hopeless.framing) == ("hopeless", None)
    concern = hopeless.concerns[0]
    assert "looks outwards" in concern.problem
    assert concern.remedy
    assert told(outwards, framing="none").verdict != "hopeless"


def test_the_convention_puts_inverted_poses_right(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(SAMPLE, folder)
    cameras = json.loads((folder / "opencv_cameras.json").read_text())
    for camera in cameras:
        camera["w2c"] = np.linalg.inv(camera["w2c"]).tolist()
    (folder / "opencv_cameras.json").write_text(json.dumps(cameras))
    stored = told(folder)
    assert stored.verdict == "hopeless"
    assert "convention inverted " in stored.concerns[0].remedy
    assert told(folder, convention="inverted") == told()
    assert get_args(Convention) == get_args(PoseConvention)


def test_views_that_are_held_out_do_not_count() -> None:
    indices = [0, 4, 9]
    kept = told(views={"indices": indices}, holdout=2, framing="none")
    assert kept == told(views={"indices": [4]}, framing="none")
    with pytest.raises(ConfigError, match="cannot be kept out"):
        told(views={"indices": [4]}, holdout=2)


def test_images_are_only_decoded_to_see_the_background(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(SAMPLE, folder)
    for image in (folder / "renderings").iterdir():
        image.write_bytes(image.read_bytes()[:-200])  # the head is there
    assert told(folder, look=False).verdict == "fine"
    assert inspections.validate(folder, MODEL, TRAINED_ON).expectation is None
