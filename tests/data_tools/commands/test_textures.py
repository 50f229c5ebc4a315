"""`nvs data textures`."""

from __future__ import annotations

from pathlib import Path

from PIL import Image


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
