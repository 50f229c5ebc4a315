"""Records of training: their JSON, what cannot be, unions, older exports."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nvs.errors import CheckpointError
from nvs.model.trained_on import TrainedOn, default_size, of_older_export

OBJECT = TrainedOn(
    poses="object",
    sizes=((64, 64), (128, 128)),
    num_inputs=(1, 12),
    distance=(2.0, 3.4),
    elevation_degrees=(-20.0, 80.0),
    hfov_degrees=(35.0, 60.0),
    background="white",
)
SCENE = TrainedOn(poses="scene", sizes=((72, 128),), background="any")


@pytest.mark.parametrize("record", [OBJECT, SCENE, TrainedOn()])
def test_json_round_trip(record: TrainedOn) -> None:
    text = json.dumps(record.to_json())
    assert TrainedOn.from_json(json.loads(text), "f") == record


def test_what_is_not_said_is_unknown() -> None:
    assert TrainedOn.from_json({}, "f") == TrainedOn()
    found = TrainedOn.from_json({"hfov_degrees": [50, 60], "poses": None}, "f")
    assert found == TrainedOn(hfov_degrees=(50.0, 60.0))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("poses", "sideways"),
        ("poses", ["object"]),
        ("sizes", []),
        ("sizes", [128]),
        ("sizes", [[128, 128, 3]]),
        ("sizes", [[128, 0]]),
        ("sizes", "128x128"),
        ("num_inputs", [0, 4]),
        ("num_inputs", [8, 4]),
        ("num_inputs", [1.5, 4]),
        ("num_inputs", [True, 4]),
        ("num_inputs", 4),
        ("distance", [-1, 2]),
        ("distance", [2, float("inf")]),
        ("distance", [float("nan"), 2]),
        ("distance", [2]),
        ("elevation_degrees", [-91, 0]),
        ("elevation_degrees", ["0", "1"]),
        ("hfov_degrees", [50, 181]),
        ("background", "black"),
    ],
)
def test_what_cannot_be_is_refused_by_key(key: str, value: Any) -> None:
    with pytest.raises(
        CheckpointError, match=rf"my\.file: trained_on\.{key} is .*(must|Use)"
    ):
        TrainedOn.from_json({key: value}, "my.file")


def test_other_mistakes_are_refused() -> None:
    with pytest.raises(
        CheckpointError, match=r"f: unknown key 'trained_on\.size'.*Known"
    ):
        TrainedOn.from_json({"size": [[1, 1]]}, "f")
    with pytest.raises(CheckpointError, match="f: trained_on is 'much'"):
        TrainedOn.from_json("much", "f")
    with pytest.raises(
        CheckpointError, match=r"with scene poses trained_on\.distance is"
    ):
        TrainedOn.from_json({"poses": "scene", "distance": [1, 2]}, "f")


def test_the_default_size_keeps_the_aspect_of_captures_unless_square() -> None:
    assert OBJECT.size == OBJECT.default_size == (128, 128)
    assert (SCENE.size, SCENE.default_size) == ((72, 128), 128)
    assert TrainedOn(sizes=((256, 256), (96, 64))).default_size == 96
    assert TrainedOn().default_size is default_size(None) is None


def test_stages_keep_their_order_and_every_number_of_inputs() -> None:
    sizes = [(64, 64), (64, 64), (128, 96), (64, 64)]
    found = TrainedOn(poses="object").with_stages(sizes, [4, 2, 8, 3])
    assert found.sizes == ((64, 64), (128, 96), (64, 64))
    assert found.num_inputs == (2, 8)
    assert found.poses == "object"


def test_a_union_is_as_wide_and_knows_no_more_than_all() -> None:
    near = TrainedOn(
        poses="object",
        distance=(1.0, 2.5),
        hfov_degrees=(40.0, 70.0),
        num_inputs=(2, 3),
    )
    found = TrainedOn.union([OBJECT, near])
    assert found == TrainedOn.union([near, OBJECT])
    assert found.distance == (1.0, 3.4)
    assert found.hfov_degrees == (35.0, 70.0)
    assert found.num_inputs == (1, 12)
    assert found.poses == "object"
    assert found.elevation_degrees is found.background is found.sizes is None
    assert TrainedOn.union([OBJECT, TrainedOn()]) == TrainedOn()
    assert TrainedOn.union([OBJECT, SCENE]).poses is None
    for record in (OBJECT, SCENE):
        assert TrainedOn.union([record, record]) == record


def test_in_words() -> None:
    assert str(OBJECT) == (
        "object poses; 64×64, 128×128; 1 to 12 input views; distance 2 to 3.4; "
        "elevation -20 to 80°; field of view 35 to 60°; white background"
    )
    assert str(SCENE) == "scene poses; 72×128; any background"
    assert str(TrainedOn(hfov_degrees=(50.0, 50.0))) == "field of view 50°"
    assert str(TrainedOn()) == "unknown"


def older(data: str, poses: str = "object") -> dict[str, Any]:
    stages = [
        {"height": 64, "width": 64, "inputs": [4, 6]},
        {"height": 48, "width": 96, "inputs": [2]},
    ]
    return {"poses": poses, "training": {"data": data, "stages": stages}}


def test_older_exports_tell_by_the_configuration_of_their_run() -> None:
    found = of_older_export(older("synthetic:object=1"), "f")
    assert found.sizes == ((64, 64), (48, 96))
    assert found.num_inputs == (2, 6)
    assert (found.poses, found.background) == ("object", "white")
    assert found.distance == (2.0, 3.4)


@pytest.mark.parametrize(
    ("data", "said", "poses"),
    [
        ("synthetic:room=1", "object", "scene"),  # such exports said so wrongly
        ("sets=1", "scene", "scene"),
        ("a=b=0.5, sets=0.5", "object", "object"),
        ("synthetic:object=0.7, sets/chairs=0.3", "object", "object"),
        ("synthetic:object=0.7,synthetic:room=0.3", "object", None),
        ("synthetic:room=0.7,sets=0.3", "object", None),
    ],
)
def test_older_exports_know_the_poses_of_their_sources(
    data: str, said: str, poses: str | None
) -> None:
    found = of_older_export(older(data, said), "f")
    assert found.poses == poses
    assert (found.distance is None) == (data != "synthetic:object=1")


@pytest.mark.parametrize(
    "training", [{}, {"stages": [], "data": "sets=1"}, {"stages": 3}, {"data": None}]
)
def test_what_is_no_configuration_of_a_run_is_refused(training: Any) -> None:
    with pytest.raises(CheckpointError, match=r"f: about\.training is not the conf"):
        of_older_export({"training": training}, "f")
