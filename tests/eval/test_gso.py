"""The GSO protocol: its index files, and that a set must be on the rig."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import pytest
import torch

from nvs.errors import ConfigError, DatasetError
from nvs.perceptual.backbones import offline_file
from nvs_data.rigs import gso_rig
from nvs_eval.protocols import gso
from nvs_eval.protocols.base import (
    SceneFolder,
    find_scenes,
    index_hash,
    read_index,
    write_index,
)
from nvs_eval.protocols.gso import (
    TARGETS,
    VIEW_COUNTS,
    GsoProtocol,
    input_order,
    read_inputs,
    read_targets,
)
from nvs_eval.runs import load_rows

FROZEN = "cdffa2e7fd08ef2570b7f05a9337b73e20c1d88f188adc6448eeab51adfc0295"


def ring(view: int) -> int:
    return view // 16


def test_the_packaged_index_files_follow_the_rule(tmp_path: Path) -> None:
    gso.write_indices(tmp_path)
    names = sorted(path.name for path in gso.FOLDER.glob("*.json"))
    assert names == sorted(path.name for path in tmp_path.glob("*.json"))
    for name in names:
        assert read_index(tmp_path / name) == read_index(gso.FOLDER / name)


def test_the_index_files_are_frozen() -> None:
    """Numbers measured with other files are not comparable: this hash stays."""
    hashes = {
        path.stem: read_index(path)["sha256"] for path in gso.FOLDER.glob("*.json")
    }
    assert index_hash(hashes) == FROZEN


@pytest.mark.parametrize("count", VIEW_COUNTS)
def test_input_sets_are_nested_and_apart_from_the_targets(count: int) -> None:
    inputs, _ = read_inputs(count)
    assert inputs == input_order()[:count]
    assert len(set(inputs)) == count
    assert not set(inputs) & set(TARGETS)
    assert all(ring(view) == 1 for view in inputs[:8]), "the 20° ring comes first"


def test_first_inputs_are_uniform_around() -> None:
    for count in (4, 8):
        azimuths = sorted(view % 16 for view in read_inputs(count)[0])
        gaps = {b - a for a, b in itertools.pairwise(azimuths)}
        assert gaps == {16 // count}


def test_targets_cover_every_ring_and_every_odd_azimuth() -> None:
    targets, _ = read_targets()
    assert sorted(view % 16 for view in targets) == list(range(1, 16, 2))
    assert sorted(map(ring, targets)) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_more_inputs_leave_no_direction_farther_from_one() -> None:
    direction = gso_rig().forward
    covered = []
    for count in VIEW_COUNTS:
        inputs, _ = read_inputs(count)
        nearest = (direction @ direction[inputs].T).amax(1)
        covered.append(math.degrees(math.acos(min(1.0, float(nearest.min())))))
    assert covered == sorted(covered, reverse=True)
    assert covered[-1] < 25, "48 views reach every view of the rig"


def test_an_index_file_that_was_edited_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    digest = write_index(path, {"targets": [1, 2]})
    assert read_index(path)["sha256"] == digest == index_hash(read_index(path))
    path.write_text(path.read_text().replace("2", "3", 1))
    with pytest.raises(DatasetError, match="does not match its own hash"):
        read_index(path)
    path.write_text("[]")
    with pytest.raises(DatasetError, match="is not an index file"):
        read_index(path)


def test_split_of_a_set_on_the_rig(make_object) -> None:
    protocol = GsoProtocol([4, 12])
    scene = SceneFolder(name="a", path=make_object("a"))
    split = protocol.split(scene, [4, 12])
    assert split.targets == TARGETS
    assert split.inputs[4] == split.inputs[12][:4]
    assert split.hashes[4] != split.hashes[12]
    camera = gso_rig()
    assert protocol.normalisation(camera, camera).kind == "none"


def test_a_set_off_the_rig_is_refused(make_object) -> None:
    folder = make_object("a")
    file = folder / "opencv_cameras.json"
    entries = json.loads(file.read_text())
    protocol = GsoProtocol([4])
    file.write_text(json.dumps([*entries[1:], entries[0]]))
    with pytest.raises(DatasetError, match=r"off view 0 of the GSO rig"):
        protocol.split(SceneFolder(name="a", path=folder), [4])
    file.write_text(json.dumps(entries[:63]))
    with pytest.raises(DatasetError, match="has 63 views"):
        protocol.split(SceneFolder(name="a", path=folder), [4])
    with pytest.raises(ConfigError, match="no input set of 5 views"):
        GsoProtocol([5])
    entries[7]["fx"] *= 1.1
    file.write_text(json.dumps(entries))
    with pytest.raises(DatasetError, match=r"intrinsics of .*0007\.png are not"):
        protocol.split(SceneFolder(name="a", path=folder), [4])


def test_the_real_set_is_on_the_rig(shared: Path) -> None:
    folder = shared / "data" / "gso_character"
    split = GsoProtocol([48]).split(SceneFolder(name="c", path=folder), [48])
    assert len(split.names) == 64


def test_scenes_of_folders(make_object, tmp_path: Path) -> None:
    one, two = make_object("one"), make_object("two")
    root = one.parent
    assert [s.name for s in find_scenes([root])] == ["one", "two"]
    assert [s.path for s in find_scenes([two])] == [two]
    listed = tmp_path / "list.txt"
    listed.write_text("# chosen\ntwo\n\ngone\n")
    assert [s.name for s in find_scenes([root], listed)] == ["gone", "two"]
    with pytest.raises(DatasetError, match="two scenes are called one"):
        find_scenes([root, one])
    with pytest.raises(DatasetError, match="there is no folder"):
        find_scenes([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="there are no scenes"):
        find_scenes([tmp_path / "empty"])
    with pytest.raises(ConfigError, match="scene list"):
        find_scenes([root], tmp_path / "no.txt")


def test_directions_of_the_rig_are_where_the_files_say() -> None:
    center = gso_rig().center
    elevation = torch.rad2deg(torch.asin(center[:, 2] / 2.7))
    torch.testing.assert_close(elevation[16:32], torch.full((16,), 20.0))


@pytest.mark.slow
def test_a_real_object_goes_the_whole_way_with_real_lpips(
    nvs, shared: Path, weights: Path, tmp_path: Path
) -> None:
    if offline_file("vgg") is None:
        pytest.skip("the offline backbones are not installed")
    code, text, error = nvs(
        *("eval", "gso", shared / "data" / "gso_character", "--weights", weights),
        *("--views", "4,8", "--size", "32,64", "--device", "cpu", "--require-lpips"),
        *("--out", tmp_path / "run"),
    )
    assert code == 0, error
    rows = load_rows(tmp_path / "run")
    assert len(rows) == 2 * 2 * 3
    for row in rows:
        assert 0 < row["lpips_vgg"] < 1.5
        assert 0 < row["lpips_alex"] < 1.5
    assert "| gso | 64×64 | 8 | net |" in text
    code, _, error = nvs("eval", "report", tmp_path / "run")
    assert code == 0, error
    assert "LPIPS VGG" in (tmp_path / "run" / "report.html").read_text()
