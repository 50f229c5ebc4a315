"""Models to posed sets, textures to photographs, scenes from the hub, as typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nvs.scene.datasets import read_dataset

SCENE = "0a" * 32


@pytest.mark.usefixtures("no_pictures")
def test_models_that_fail_are_listed_and_the_rest_is_rendered_once(
    nvs, models: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ("data", "render", models, "-o", out, "--rig", "training", "--size", "16")
    done = nvs(*command)
    assert done.code == 1
    (line,) = [line for line in done.out.splitlines() if line.startswith("failed")]
    assert line.startswith("failed: b: ")
    assert "b.obj" in line
    assert sorted(path.name for path in out.iterdir()) == ["a", "c"]
    done = nvs(*command, "--json")
    assert (done.code, done.json["present"], done.json["rendered"]) == (1, 2, 0)
    assert [failure["name"] for failure in done.json["failures"]] == ["b"]
    (models / "b.obj").unlink()
    assert nvs(*command).code == 0
    assert len(read_dataset(out / "a").frames) == 32


@pytest.mark.usefixtures("no_pictures")
def test_rig_seed_size_and_axis(nvs, models: Path, tmp_path: Path) -> None:
    model = models / "a.obj"
    done = nvs("data", "render", model, "-o", tmp_path / "gso", "--size", "12x16")
    assert done.code == 0, done.err
    frames = read_dataset(tmp_path / "gso" / "a").frames
    assert len(frames) == 64
    assert (frames[0].camera.height, frames[0].camera.width) == (12, 16)
    poses = []
    for seed in ("0", "1"):
        out = tmp_path / seed
        done = nvs(
            *("data", "render", model, "-o", out, "--rig", "training", "--up", "z"),
            *("--seed", seed, "--size", "8"),
        )
        assert done.code == 0, done.err
        poses.append(read_dataset(out / "a").frames[0].camera.world_from_camera)
    assert not poses[0].equal(poses[1])


def test_real_pictures(nvs, models: Path, tmp_path: Path) -> None:
    from nvs.errors import NvsError
    from nvs_data.meshes.render import _context

    try:
        with _context():
            pass
    except NvsError as error:
        pytest.skip(str(error))
    out = tmp_path / "out"
    done = nvs("data", "render", models / "a.obj", "-o", out, "--size", "16")
    assert done.code == 0, done.err
    assert read_dataset(out / "a").frames[20].load()[..., 3].max() == 255


def test_interrupted_rendering_keeps_finished_sets(
    nvs, models: Path, tmp_path: Path, no_pictures: None, monkeypatch
) -> None:
    from nvs_data.meshes import posed_sets

    render_set = posed_sets.render_set

    def interrupt(mesh: Any, camera: Any, folder: Path) -> bool:
        if folder.name == "c":
            raise KeyboardInterrupt
        return render_set(mesh, camera, folder)

    monkeypatch.setattr(posed_sets, "render_set", interrupt)
    out = tmp_path / "out"
    done = nvs("data", "render", models, "-o", out, "--size", "8")
    assert done.code == 130
    assert f"finished sets are kept in {out}. The same command goes on" in done.err
    assert [path.name for path in out.iterdir()] == ["a"]


def test_scenes_are_downloaded_one_after_another(nvs, tmp_path, monkeypatch) -> None:
    fetched: list[str] = []

    def fetch(scene: str, folder: Path) -> Path:
        if len(fetched) == 3:
            raise KeyboardInterrupt
        fetched.append(scene)
        return folder / scene

    monkeypatch.setattr("nvs_data.download.download_dl3dv_scene", fetch)
    other, out = "1b" * 32, tmp_path / "out"
    done = nvs("data", "download", SCENE, other, "-o", out)
    assert (done.code, fetched) == (0, [SCENE, other]), done.err
    assert done.out.splitlines() == [str(out / SCENE), str(out / other)]
    done = nvs("data", "download", SCENE, "-o", out, "--json")
    assert done.json == {"scenes": [str(out / SCENE)]}
    done = nvs("data", "download", SCENE, "-o", out)
    assert done.code == 130
    assert f"what has arrived is kept in {out}" in done.err


def test_an_unreachable_hub_is_named(nvs, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    done = nvs("data", "download", SCENE, "-o", tmp_path / "out")
    assert done.code == 2
    last = done.err.strip().splitlines()[-1]
    assert last.startswith(f"nvs: cannot download {SCENE} of DL3DV/DL3DV-Benchmark")
    assert "Check the network connection" in last


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("render", "none", "-o", "out"), "none does not exist"),
        (("render", "MODELS", "-o", "out", "--rig", "x"), "--rig is 'x'"),
        (("render", "MODELS", "-o", "out", "--up", "x"), "--up is 'x'. Use one of y"),
        (("render", "MODELS", "-o", "out", "--jobs", "0"), "--jobs is 0"),
        (("render", "MODELS", "-o", "out", "--size", "9999"), "Use at most 4096"),
        (("download", "../up", "-o", "out"), "'../up' is not the name of a DL3DV"),
    ],
)
def test_mistakes_end_in_one_line(
    nvs, models, tmp_path, monkeypatch, arguments, message
) -> None:
    monkeypatch.chdir(tmp_path)
    done = nvs("data", *(models if word == "MODELS" else word for word in arguments))
    assert done.code == 2
    last = done.err.strip().splitlines()[-1]
    assert last.startswith("nvs: ")
    assert message in last
    assert "Traceback" not in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["models"]


def test_diffuse_maps_become_photographs(nvs, tmp_path: Path) -> None:
    folder, out = tmp_path / "textures", tmp_path / "out"
    folder.mkdir()
    Image.radial_gradient("L").save(folder / "wall.png")
    Image.linear_gradient("L").save(folder / "wall_nm.png")
    arguments = ("data", "textures", folder, "-o", out, "--size", 64, "--json")
    done = nvs(*arguments)
    assert done.code == 0, done.err
    assert (done.json["kept"], done.json["left_out"]) == (1, {"other_map": 1})
    assert Image.open(out / "00000.jpg").size == (64, 64)
    assert nvs(*arguments).json["present"]
    refused = nvs("data", "textures", folder, "-o", out, "--size", 63)
    assert (refused.code, "--size is 63" in refused.err) == (2, True)
