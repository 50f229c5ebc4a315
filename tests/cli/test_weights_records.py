"""Commands go by what weights were trained on, and find those of a scene again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nvs.config import ModelConfig
from nvs.model.checkpoint import load_checkpoint, random_checkpoint, save_checkpoint
from nvs.model.shards import split_file
from nvs.model.weights import load_weights

CONFIG = ModelConfig(dim=32, num_blocks=1, attention_head_dim=16, fast_head_dim=32)
RECORD: dict[str, Any] = {
    "poses": "object",
    "sizes": [[64, 64], [16, 24]],
    "num_inputs": [2, 8],
    "distance": [2.0, 3.0],
    "elevation_degrees": None,
    "hfov_degrees": [50.0, 50.0],
    "background": "white",
}


def export(
    folder: Path,
    *,
    sizes: list[list[int]] | None = None,
    shards: bool = False,
    seed: int = 0,
) -> Path:
    """Weights as training exports them."""
    folder.mkdir(exist_ok=True)
    whole = folder / "weights.safetensors"
    about = {"trained_on": RECORD | {"sizes": sizes or RECORD["sizes"]}}
    save_checkpoint(whole, CONFIG, random_checkpoint(CONFIG, seed).state, about=about)
    if shards:
        split_file(whole, 40_000)
        whole.unlink()
    return folder


@pytest.mark.parametrize("shards", [False, True])
@pytest.mark.parametrize(
    ("sizes", "built", "said"),
    [
        ([[64, 64], [16, 24]], (16, 24), "size 24, as mine"),  # the set is 32×48
        ([[8, 24], [24, 8]], (16, 24), "size 24, as mine"),
        ([[16, 24], [24, 24]], (24, 24), "size 24×24, as mine"),
    ],
)
def test_exports_are_built_at_the_size_of_their_training(
    nvs, dataset, tmp_path: Path, sizes, built, said, shards: bool
) -> None:
    folder = export(tmp_path / "mine", sizes=sizes, shards=shards)
    done = nvs("build", dataset, "-o", tmp_path / "a", "--weights", folder, "--json")
    assert done.code == 0, done.err
    assert (done.json["height"], done.json["width"]) == built
    assert f"nvs: {said} was trained; --size changes it\n" in done.err
    assert "patches may show" not in done.err


@pytest.mark.parametrize(
    ("size", "is_said"), [("16x48", False), ("32x48", False), ("32x56", True)]
)
def test_sizes_far_over_that_of_training_are_mentioned(
    nvs, dataset, tmp_path: Path, size: str, is_said: bool
) -> None:
    folder = export(tmp_path / "mine")
    done = nvs(
        *("build", dataset, "-o", tmp_path / "a.scene", "--weights", folder),
        *("--size", size, "--json"),
    )
    assert done.code == 0, done.err
    line = "nvs: 32×56 is more than twice the 16×24 that mine was trained at; patches"
    assert (line in done.err) == is_said
    assert ("patches may show" in done.err) == is_said
    small = nvs(
        *("build", dataset, "-o", tmp_path / "a.scene", "--weights", folder),
        *("--size", "16x24", "--json"),
    )
    assert small.code == 0, small.err
    done = nvs(
        *("render", tmp_path / "a.scene", "-o", tmp_path / "a.png"),
        *("--frames", 1, "--size", size),
    )
    assert done.code == 0, done.err
    assert (line in done.err) == is_said


def test_weights_of_unknown_training_take_images_as_they_are(
    nvs, dataset, weights, tmp_path: Path
) -> None:
    done = nvs("build", dataset, "-o", tmp_path / "a", "--weights", weights, "--json")
    assert (done.json["height"], done.json["width"]) == (32, 48)
    assert "was trained" not in done.err


def test_list_and_info_show_the_record(nvs, tmp_path: Path) -> None:
    folder = export(tmp_path / "mine")
    for command in (("info",), ("weights", "info")):
        found = nvs(*command, folder, "--json").json
        assert found["trained_on"] == RECORD
        assert "about_trained_on" not in found
        shown = " ".join(nvs(*command, folder).out.split())
        assert "64×64, 16×24; 2 to 8 input views" in shown
    rows = {
        row["name"]: row for row in json.loads(nvs("weights", "list", "--json").out)
    }
    known = load_weights("lact_small").trained_on
    assert rows["lact_small"]["trained_on"] == known.to_json()
    assert rows["scene_res72x128"]["trained_on"]["sizes"] == [[72, 128]]
    shown = nvs("weights", "list").out
    assert "72×128" in shown
    assert "×".join(map(str, known.size)) in shown


def test_convert_keeps_the_record(nvs, weights, tmp_path: Path) -> None:
    target = tmp_path / "copy.safetensors"
    assert nvs("weights", "convert", "lact_small", "-o", target).code == 0
    kept = nvs("info", target, "--json").json["trained_on"]
    assert kept == nvs("info", "lact_small", "--json").json["trained_on"]
    about = load_checkpoint(target).about
    assert about["trained_on"] == kept
    assert "poses" not in about
    assert nvs("weights", "convert", weights, "-o", target).code == 0
    unknown = nvs("info", target, "--json").json["trained_on"]
    assert set(unknown.values()) == {None}


def render(nvs, scene: Path, out: Path, *more: object) -> Any:
    return nvs("render", scene, "-o", out, "--frames", 1, "--size", "16x24", *more)


@pytest.mark.parametrize("shards", [False, True])
def test_scenes_are_rendered_with_the_weights_they_remember(
    nvs, dataset, tmp_path: Path, shards: bool
) -> None:
    folder, scene = export(tmp_path / "mine", shards=shards), tmp_path / "a.scene"
    assert nvs("build", dataset, "-o", scene, "--weights", folder).code == 0
    assert nvs("info", scene, "--json").json["weights_hint"] == str(folder)
    plain, named = tmp_path / "plain", tmp_path / "named"
    done = render(nvs, scene, plain)
    assert done.code == 0, done.err
    assert render(nvs, scene, named, "--weights", folder).code == 0
    picture = "00000.png"
    assert (plain / picture).read_bytes() == (named / picture).read_bytes()


def test_scenes_are_not_rendered_with_other_weights(
    nvs, dataset, tmp_path: Path
) -> None:
    folder, scene = export(tmp_path / "mine"), tmp_path / "a.scene"
    assert nvs("build", dataset, "-o", scene, "--weights", folder).code == 0
    export(folder, seed=1)
    done = render(nvs, scene, tmp_path / "out")
    assert done.code == 2
    assert f"but {folder} has another digest" in done.err
    assert "Say with --weights" in done.err
    moved = folder.rename(tmp_path / "moved")
    done = render(nvs, scene, tmp_path / "out")
    assert (done.code, f"no weights at {folder} any more" in done.err) == (2, True)
    done = render(nvs, scene, tmp_path / "out", "--weights", moved)
    assert (done.code, "was built with mine" in done.err) == (2, True)
    assert not (tmp_path / "out").exists()
    export(moved, seed=0)
    assert render(nvs, scene, tmp_path / "out", "--weights", moved).code == 0
