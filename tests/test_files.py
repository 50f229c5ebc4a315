from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nvs.errors import OutputError
from nvs.files import atomic_output, check_new_folder, remove_leftovers, write_text

KILLED = """
import os, signal, sys
from pathlib import Path
from nvs.files import atomic_output

with atomic_output(Path(sys.argv[1])) as outer, atomic_output(outer) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_new_folder_is_absent_or_empty(tmp_path: Path) -> None:
    check_new_folder(tmp_path / "absent")
    check_new_folder(tmp_path)
    (tmp_path / "file").touch()
    for taken in (tmp_path, tmp_path / "file"):
        with pytest.raises(OutputError, match="not empty"):
            check_new_folder(taken)


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with atomic_output(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.suffix == ".txt"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_file(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def interrupted() -> None:
        with atomic_output(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    for names in (("a", "b"), ("c",)):
        with atomic_output(path) as temporary:
            temporary.mkdir()
            for name in names:
                (temporary / name).touch()
    assert [p.name for p in path.iterdir()] == ["c"]


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "x" / "y" / "a.txt", "new")
    assert (tmp_path / "x" / "y" / "a.txt").read_text() == "new"


def test_private_files_get_the_usual_permissions(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with atomic_output(path) as temporary:
        temporary.touch(mode=0o600)
    (tmp_path / "usual").touch()
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"no space left .* Free some space"):
        write_text(tmp_path / "a.txt", "new")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*/file/a\.txt"):
        write_text(tmp_path / "file" / "a.txt", "new")


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint-00000004.pt"
    write_text(path, "old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    remove_leftovers(tmp_path, ".config")
    assert len(list(tmp_path.iterdir())) == 2
    remove_leftovers(tmp_path, ".checkpoint-")
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "old"


def test_nothing_but_leftovers_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for kept in (
        "checkpoint-00000004.pt",
        ".checkpoint-notes",
        ".checkpoint-00000004.a1b2c3d4",
        "checkpoint-1.a1b2c3d4/checkpoint-1.pt",
        ".checkpoint-old/checkpoint-old.pt",
        ".checkpoint-1.original/checkpoint-1.pt",
        ".checkpoint-1.original/notes.txt",
        ".checkpoint-1.a1b2c3d45/checkpoint-1.pt",
        ".checkpoint-1.A1B2C3D4/checkpoint-1.pt",
        ".other-1.a1b2c3d4/other-1.pt",
    ):
        (folder / kept).parent.mkdir(parents=True, exist_ok=True)
        (folder / kept).touch()
    elsewhere = tmp_path / ".checkpoint-1.a1b2c3d4"
    elsewhere.mkdir()
    (folder / ".checkpoint-1.linked00").symlink_to(elsewhere)
    before = sorted(folder.rglob("*"))
    remove_leftovers(folder, ".checkpoint-")
    assert sorted(folder.rglob("*")) == before
    remove_leftovers(tmp_path / "none", ".checkpoint-")
