from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from pydantic import BaseModel, ValidationError

from nvs.api import cameras, jobs, renders, scenes, stream, system
from nvs.api.names import check_file_name
from nvs.api.values import Schema
from nvs.cameras import CameraPath, orbit, write_camera_path
from nvs.errors import DatasetError

LOOK_AT = renders.LOOK_AT
RENDER = {"camera": LOOK_AT, "height": 64, "width": 64}
ORBIT = {"kind": "orbit", "num_frames": 3}
VIDEO = {"trajectory": ORBIT, "height": 64, "width": 64}

REFUSED: list[tuple[type[BaseModel], dict[str, Any], str, str]] = [
    (renders.RenderRequest, RENDER | {"height": 8}, "height", "or equal to 16"),
    (renders.RenderRequest, RENDER | {"width": 4096}, "width", "or equal to 2048"),
    (renders.RenderRequest, RENDER | {"width": 64.0}, "width", "a valid integer"),
    (renders.RenderRequest, RENDER | {"format": "gif"}, "format", "'png', 'jpeg'"),
    (renders.RenderRequest, RENDER | {"quality": 0}, "quality", "or equal to 1"),
    (renders.RenderRequest, RENDER | {"background": "red"}, "background", "pattern"),
    (renders.RenderRequest, {"height": 64, "width": 64}, "camera", "Field required"),
    (
        renders.RenderRequest,
        RENDER | {"format": "jpeg", "background": "transparent"},
        "",
        "background is transparent, which jpeg cannot hold",
    ),
    (renders.RendersRequest, {"cameras": [], "height": 64, "width": 64}, "cameras", ""),
    (
        renders.RendersRequest,
        {"cameras": [LOOK_AT, {}], "height": 64, "width": 64},
        "cameras.1.eye",
        "Field required",
    ),
    (
        renders.VideoRequest,
        VIDEO | {"trajectory": {"kind": "loop"}},
        "trajectory",
        "the kind of the trajectory is 'loop'",
    ),
    (
        renders.VideoRequest,
        VIDEO | {"trajectory": ORBIT | {"num_frames": 0}},
        "trajectory.num_frames",
        "or equal to 1",
    ),
    (
        renders.VideoRequest,
        VIDEO | {"trajectory": {"camera_path": {"keys": 1}}},
        "trajectory.camera_path",
        "not a camera path, its keys are ['keys']",
    ),
    (renders.VideoRequest, VIDEO | {"fps": 0}, "fps", "greater than 0"),
    (jobs.BuildRequest, {"size": 8}, "size", "or equal to 16"),
    (jobs.BuildRequest, {"size": [64, 4096]}, "size.1", "or equal to 2048"),
    (jobs.BuildRequest, {"size": "64"}, "size", "a valid integer"),
    (jobs.BuildRequest, {"size": [64]}, "size", "size has 1 numbers"),
    (jobs.BuildRequest, {"framing": "wide"}, "framing", "'auto', 'none'"),
    (jobs.BuildRequest, {"views": {"count": 0}}, "views.count", "or equal to 1"),
    (
        jobs.BuildRequest,
        {"views": {"count": 3, "method": "best"}},
        "views.method",
        "'kmeans', 'farthest'",
    ),
    (
        jobs.BuildRequest,
        {"views": {"indices": [1, 2, 1]}},
        "views.indices",
        "view 1 is listed more than once",
    ),
    (jobs.BuildRequest, {"views": {"indices": [-1]}}, "views.indices.0", "equal to 0"),
    (jobs.BuildRequest, {"weights": "../x"}, "weights", "pattern"),
    (scenes.SceneCreate, {"name": ""}, "name", "at least 1 character"),
    (scenes.SceneCreate, {"name": "a\nb"}, "name", "pattern"),
    (scenes.SceneCreate, {"name": "a", "tags": ["x"] * 33}, "tags", "at most 32"),
    (
        scenes.SceneCreate,
        {"name": "a", "expires_at": "2030-01-01T00:00:00"},
        "expires_at",
        "should have timezone info",
    ),
    (scenes.SceneUpdate, {"name": None}, "name", "valid string"),
    (stream.StreamRender, RENDER | {"sequence": -1}, "sequence", "or equal to 0"),
]


@pytest.mark.parametrize(("form", "body", "field", "text"), REFUSED)
def test_refuses(
    form: type[BaseModel], body: dict[str, Any], field: str, text: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        form.model_validate(body)
    found = caught.value.errors()[0]
    assert ".".join(map(str, found["loc"])) == field
    assert text in found["msg"]


def test_examples_of_every_schema_are_valid() -> None:
    checked = 0
    for module in (cameras, jobs, renders, scenes, stream, system):
        for form in vars(module).values():
            if not (isinstance(form, type) and issubclass(form, Schema)):
                continue
            extra: Any = form.model_config.get("json_schema_extra") or {}
            for example in extra.get("examples", []):
                form.model_validate_json(json.dumps(example))
                checked += 1
    assert checked > 20


def test_reads_the_camera_paths_that_the_library_writes(tmp_path: Path) -> None:
    camera = orbit(
        3,
        radius=2.0,
        elevation_radians=0.3,
        hfov_radians=0.9,
        height=48,
        width=64,
    )
    write_camera_path(tmp_path / "path.json", CameraPath(camera=camera, fps=24.0))
    content = json.loads((tmp_path / "path.json").read_text())

    video = renders.VideoRequest.model_validate(
        VIDEO | {"trajectory": {"camera_path": content}}
    )

    assert video.num_frames == 3
    assert video.model_dump(mode="json")["trajectory"]["camera_path"] == content


def test_reads_camera_paths_of_nerfstudio() -> None:
    opengl = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0])).flatten().tolist()
    path = {
        "camera_type": "perspective",
        "render_height": 540,
        "render_width": 960,
        "fps": 30,
        "seconds": 4.0,
        "keyframes": [],
        "camera_path": [{"camera_to_world": opengl, "fov": 50.0, "aspect": 1.78}],
    }
    video = renders.VideoRequest.model_validate(
        VIDEO | {"trajectory": {"camera_path": path}}
    )
    assert video.num_frames == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is empty"),
        ("/a.png", "is an absolute path"),
        ("a/../b.png", "has a part that is empty, `.` or `..`"),
        ("./a.png", "has a part that is empty, `.` or `..`"),
        ("a//b.png", "has a part that is empty"),
        ("a/", "has a part that is empty"),
        ("a\\b.png", "holds a backslash"),
        ("C:a.png", "begins with a drive letter"),
        ("a\x00.png", "holds control characters"),
        ("a\x7f.png", "holds control characters"),
        ("ü" * 128, "has a part of 256 bytes, over the limit of 255"),
        ("ü/" * 400, "has 1200 bytes, over the limit of 1024"),
        ("\ud800.png", "is not valid Unicode"),
    ],
)
def test_refuses_file_names(name: str, reason: str) -> None:
    with pytest.raises(DatasetError) as caught:
        check_file_name(name)
    assert reason in caught.value.problem
    assert "relative path" in caught.value.remedy


@pytest.mark.parametrize("name", ["a.png", "images/ä b.jpg", "...", "a" * 255])
def test_takes_file_names(name: str) -> None:
    assert check_file_name(name) == name


@pytest.mark.parametrize("state", get_args(jobs.JobState))
def test_final_states_are_the_last_three(state: str) -> None:
    job = jobs.Job.model_validate({**jobs.JOB_EXAMPLE, "state": state})
    assert job.is_final == (state in get_args(jobs.JobState)[-3:])


@pytest.mark.parametrize(
    "request_",
    [
        jobs.BuildRequest(),
        jobs.BuildRequest(weights="my room", size=(64, 128), framing="none"),
        jobs.BuildRequest(size=64, views=jobs.CountedViews(count=3)),
        jobs.BuildRequest(views=jobs.ListedViews(indices=[4, 0])),
        renders.VideoRequest.model_validate(VIDEO | {"fps": 12}),
        renders.VideoRequest.model_validate(
            VIDEO | {"trajectory": {"kind": "spiral", "num_frames": 2}}
        ),
    ],
    ids=repr,
)
def test_what_a_job_keeps_of_a_request_is_that_request(request_: Schema) -> None:
    kept = json.loads(json.dumps(request_.model_dump(mode="json", exclude_none=True)))
    assert type(request_).model_validate(kept) == request_
