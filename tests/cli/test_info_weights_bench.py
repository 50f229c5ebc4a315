from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import imageio.v2 as imageio
import pytest
from PIL import Image

from nvs.model.shards import split_file


def test_info_of_each_kind(nvs, scene, weights, dataset) -> None:
    assert nvs("info", scene, "--json").json["kind"] == "scene"
    about = nvs("info", weights, "--json").json
    assert (about["kind"], about["dim"], about["about_steps"]) == ("weights", 32, 0)
    views = nvs("info", dataset, "--json").json
    assert (views["kind"], views["views"], views["sizes"]) == ("views", 8, "32×48")
    for target in (scene, weights, dataset):
        assert str(target) in nvs("info", target).out.replace("\n", "")


@pytest.mark.parametrize("which", ["scene", "dataset"])
def test_info_draws_the_cameras(nvs, request, tmp_path, which: str) -> None:
    picture = tmp_path / "cameras.png"
    done = nvs("info", request.getfixturevalue(which), "--picture", picture)
    assert done.code == 0, done.err
    pixels = imageio.imread(picture)[..., :3]
    blue = (pixels[..., 2] > 150) & (pixels[..., 0] < 100)
    assert blue.sum() > 200, "no frustum was drawn"


def test_info_mistakes(nvs, weights, dataset, tmp_path) -> None:
    done = nvs("info", weights, "--picture", tmp_path / "a.png")
    assert (done.code, "which have no cameras" in done.err) == (2, True)
    done = nvs("info", dataset, "--picture", tmp_path / "a.bmp")
    assert (done.code, "Name a .png file" in done.err) == (2, True)
    done = nvs("info", tmp_path / "none")
    assert (done.code, "there is no such file" in done.err) == (2, True)


def test_weights_list_and_info(nvs, weights) -> None:
    import json

    done = nvs("weights", "list", "--json")
    names = [row["name"] for row in json.loads(done.out)]
    assert "obj_res256" in names
    assert "lact_small" in names
    assert "obj_res256" in nvs("weights", "list").out
    assert nvs("weights", "info", weights, "--json").json["num_blocks"] == 2
    done = nvs("weights", "info", "nope")
    assert (done.code, "no named weights 'nope'" in done.err) == (2, True)


def test_convert_keeps_the_network(nvs, weights, tmp_path: Path) -> None:
    target = tmp_path / "copy.safetensors"
    done = nvs("weights", "convert", weights, "-o", target, "--json")
    assert done.code == 0, done.err
    before = nvs("weights", "info", weights, "--json").json
    after = nvs("weights", "info", target, "--json").json
    assert after["digest"] == before["digest"]
    assert after["about_converted_from"] == "net"
    half = tmp_path / "half.safetensors"
    done = nvs("weights", "convert", weights, "-o", half, "--keep", "bfloat16")
    assert half.stat().st_size < 0.6 * target.stat().st_size
    done = nvs("weights", "convert", weights, "-o", tmp_path / "x.pt")
    assert (done.code, "Name a .safetensors file" in done.err) == (2, True)


def test_exported_folders_are_weights(nvs, weights, tmp_path: Path) -> None:
    expected = nvs("weights", "info", weights, "--json").json["digest"]
    folder = tmp_path / "mine"
    folder.mkdir()
    whole = folder / "weights.safetensors"
    whole.write_bytes(weights.read_bytes())
    for form in ("one file", "shards"):
        if form == "shards":
            split_file(whole, 40_000)
            whole.unlink()
        about = nvs("info", folder, "--json").json
        assert (about["name"], about["digest"]) == ("mine", expected)
        assert nvs("weights", "get", folder, "--json").code == 0
        target = tmp_path / "joined.safetensors"
        done = nvs("weights", "convert", folder, "-o", target, "--json")
        assert done.code == 0, done.err
        assert done.json["digest"] == expected
    done = nvs("weights", "convert", tmp_path, "-o", tmp_path / "x.safetensors")
    assert (done.code, "no exported folder and no named" in done.err) == (2, True)


def test_bench_is_consistent(nvs, weights) -> None:
    done = nvs(
        *("bench", "--weights", weights, "--views", "3", "--size", "16x24"),
        *("--repeats", "2", "--json"),
    )
    assert done.code == 0, done.err
    found = done.json
    tokens = 3 * 2 * 3
    assert found["prefill_tokens_per_second"] == pytest.approx(
        tokens / found["prefill_seconds"]
    )
    assert found["prefill_share_of_ceiling"] == pytest.approx(
        found["prefill_flops_per_second"] / found["ceiling_flops_per_second"]
    )
    assert found["residual_bytes"] == tokens * 32 * 4
    assert nvs("bench", "--preset", "nope").code == 2
    assert "--views is 0" in nvs("bench", "--weights", weights, "--views", 0).err


def test_a_table_tells_each_rate_beside_its_ceiling(nvs, tmp_path) -> None:
    out = tmp_path / "bench.json"
    done = nvs(
        *("bench", "table", "--case", "lact_tiny:2:16x24", "--repeats", "1"),
        *("--device", "cpu", "-o", out),
    )
    assert done.code == 0, done.err
    (row,) = json.loads(out.read_text())
    for work in ("prefill", "render"):
        share = row[f"{work}_flops_per_second"] / row["ceiling_flops_per_second"]
        assert row[f"{work}_share_of_ceiling"] == pytest.approx(share)
    assert "| lact_tiny | 2 views, 16×24 |" in out.with_suffix(".md").read_text()
    assert out.with_suffix(".md").read_text().strip() == done.out.strip()
    for wrong in ("lact_tiny", "lact_tiny:2:16", "nope:1:8x8", "lact_tiny:1:9x8"):
        assert nvs("bench", "table", "--case", wrong).code == 2


def test_bench_data(nvs, tmp_path) -> None:
    size = ("--scenes", "1", "--views", "2", "--size", "16x16", "--repeats", "1")
    found = nvs("bench", "data", *size, "--json").json
    assert found["views_per_second"] == pytest.approx(2 / found["seconds"])
    assert found["photographs"] == 0
    Image.new("RGB", (32, 32), "red").save(tmp_path / "red.png")
    dressed = ("--photographs", tmp_path, "--json")
    assert nvs("bench", "data", *size, *dressed).json["photographs"] == 1
    done = nvs("bench", "data", "--kind", "sea")
    assert (done.code, "--kind is sea" in done.err) == (2, True)


def test_help_is_instant_because_it_imports_no_torch() -> None:
    code = (
        "import sys, nvs.cli; "
        "print([m for m in ('torch', 'numpy', 'cv2', 'imageio') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_module_and_command_agree() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nvs.cli", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    for command in ("demo", "build", "render", "info", "bench", "train", "weights"):
        assert command in done.stdout
