from __future__ import annotations

import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nvs.errors import ConfigError
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.errors import (
    BlobDamaged,
    BlobMissing,
    StorageFull,
    StorageUnavailable,
)
from tests.server.storage.conftest import at_once, digest

DATA = bytes(range(256)) * 5000


def new_file(blobs: Blobs, data: bytes) -> tuple[Path, str]:
    path = blobs.incoming() / "upload"
    path.write_bytes(data)
    return path, hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("data", [b"", b"x", DATA], ids=["empty", "byte", "chunks"])
def test_what_is_put_is_read(blobs: Blobs, data: bytes) -> None:
    path, sha256 = new_file(blobs, data)
    blobs.put_file(path, sha256)
    assert not path.exists()
    assert blobs.exists(sha256)
    assert blobs.read(sha256) == data
    assert b"".join(blobs.stream(sha256)) == data
    assert blobs.local_path(sha256).read_bytes() == data
    with blobs.open(sha256) as file:
        assert file.seek(0, os.SEEK_END) == len(data)
    blobs.verify(sha256)
    assert list(blobs.incoming().iterdir()) == []


def test_bytes_are_named_by_their_digest(blobs: Blobs) -> None:
    assert blobs.put_bytes(b"hello") == digest("hello")
    assert blobs.read(digest("hello")) == b"hello"


@pytest.mark.parametrize(
    ("start", "end"), [(0, 1), (5, 9), (1_000_000, None), (0, len(DATA)), (17, None)]
)
def test_part_of_a_blob(blobs: Blobs, start: int, end: int | None) -> None:
    sha256 = blobs.put_bytes(DATA)
    assert b"".join(blobs.stream(sha256, start, end)) == DATA[start:end]


def test_missing_blob(blobs: Blobs) -> None:
    absent = digest("absent")
    assert not blobs.exists(absent)
    assert not blobs.delete(absent)
    for use in (blobs.read, blobs.open, blobs.stream, blobs.local_path, blobs.verify):
        with pytest.raises(BlobMissing, match=rf"{absent} is missing. Upload it again"):
            use(absent)


def test_putting_again_is_harmless_and_renews_the_time(blobs: Blobs) -> None:
    sha256 = blobs.put_bytes(DATA)
    (first,) = blobs.iterate()
    path, _ = new_file(blobs, DATA)
    blobs.put_file(path, sha256)
    (second,) = blobs.iterate()
    assert second.modified_seconds >= first.modified_seconds
    assert (second.sha256, second.num_bytes) == (sha256, len(DATA))
    assert not blobs.delete(sha256, unless_put_since=second.modified_seconds)
    assert blobs.read(sha256) == DATA


def test_blob_is_as_new_as_its_put_however_slow_the_upload(blobs: Blobs) -> None:
    path, sha256 = new_file(blobs, DATA)
    os.utime(path, (0, 0))
    blobs.put_file(path, sha256)
    (blob,) = blobs.iterate()
    assert blob.modified_seconds > time.time() - 3600


def test_delete(blobs: Blobs) -> None:
    sha256 = blobs.put_bytes(DATA)
    assert blobs.delete(sha256)
    assert not blobs.exists(sha256)
    with pytest.raises(BlobMissing):
        blobs.local_path(sha256)


def test_threads_putting_and_reading_the_same_blob(blobs: Blobs) -> None:
    def put_and_read(_: int) -> bytes:
        return blobs.read(blobs.put_bytes(DATA))

    assert at_once(8, put_and_read) == [DATA] * 8
    assert len(list(blobs.iterate())) == 1
    assert list(blobs.incoming().iterdir()) == []


def test_only_blobs_are_listed(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path.as_uri(), tmp_path / "cache", 0)
    sha256 = blobs.put_bytes(b"x")
    (tmp_path / sha256[:2] / "notes.txt").write_text("not a blob")
    (blobs.incoming() / "upload").write_text("not finished")
    assert [blob.sha256 for blob in blobs.iterate()] == [sha256]
    assert (tmp_path / sha256[:2] / sha256[2:]).read_bytes() == b"x"


def test_damaged_blob_is_said(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path, tmp_path / "cache", 0)
    sha256 = blobs.put_bytes(DATA)
    with blobs.local_path(sha256).open("r+b") as file:
        file.write(b"\xff")
    for use in (blobs.read, blobs.verify):
        with pytest.raises(BlobDamaged, match=rf"{sha256} is damaged"):
            use(sha256)
    blobs.put_bytes(DATA)
    blobs.verify(sha256)


def test_file_of_another_file_system_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = Blobs(tmp_path / "blobs", tmp_path / "cache", 0)
    path = tmp_path / "elsewhere"
    path.write_bytes(DATA)
    replace = os.replace

    def other_device(source: Path, target: Path) -> None:
        if source == path:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        replace(source, target)

    monkeypatch.setattr(os, "replace", other_device)
    sha256 = hashlib.sha256(DATA).hexdigest()
    blobs.put_file(path, sha256)
    blobs.verify(sha256)
    assert not path.exists()
    assert list(blobs.incoming().iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_disk_that_fills_up_as_a_file_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    blobs = Blobs(tmp_path / "blobs", tmp_path / "cache", 0)
    path, sha256 = new_file(blobs, DATA)

    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageFull, match=r"for the blob store. Free space"):
        blobs.put_file(path, sha256)
    with pytest.raises(StorageFull):
        blobs.put_bytes(b"x")
    monkeypatch.undo()
    assert list(blobs.iterate()) == []
    assert list(blobs.incoming().iterdir()) == [path]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.errors import StorageFull

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
blobs = Blobs(sys.argv[1], Path(sys.argv[1]) / "cache", 0)
kept = blobs.put_bytes(b"small")
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    blobs.put_bytes(bytes(200_000))
except StorageFull:
    assert [blob.sha256 for blob in blobs.iterate()] == [kept]
    assert list(blobs.incoming().iterdir()) == []
    sys.exit(7)
"""


def test_disk_that_fills_up_as_a_file_is_written(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path], check=False)
    assert done.returncode == 7


ENDLESS_PUTS = """
import sys
from pathlib import Path
from nvs_server.storage.blobs import Blobs

blobs = Blobs(sys.argv[1], Path(sys.argv[1]) / "cache", 0)
number = int(sys.argv[2])
while True:
    blobs.put_bytes(f"{number} ".encode() * 200_000)
    print(number, flush=True)
    number += 1
"""


def test_killed_while_putting_leaves_only_whole_blobs(tmp_path: Path) -> None:
    chance = random.Random(5)
    put = 0
    for number in range(6):
        command = [sys.executable, "-c", ENDLESS_PUTS, tmp_path, str(1000 * number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            num_lines = chance.randint(1, 8)
            for _ in range(num_lines):
                assert process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        put += num_lines
    blobs = Blobs(tmp_path, tmp_path / "cache", 0)
    stored = list(blobs.iterate())
    assert len(stored) >= put
    for blob in stored:
        blobs.verify(blob.sha256)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://host/folder", "ftp:// is not supported"),
        ("https://host/folder", "https:// is not supported"),
        ("s3:///", "Unable to recognise URL"),
    ],
)
def test_unusable_urls_are_refused(tmp_path: Path, url: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=rf"{problem}.*Give a folder, s3://bucket"):
        Blobs(url, tmp_path, 0)


def test_remote_store_that_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr("nvs_server.storage.objects.MAX_RETRIES", 0)
    blobs = Blobs("s3://bucket", tmp_path, 0)
    with pytest.raises(StorageUnavailable, match="blob store does not answer") as e:
        blobs.put_bytes(b"x")
    assert "127.0.0.1" in e.value.reason
    assert list(blobs.incoming().iterdir()) == []
    with pytest.raises(StorageUnavailable):
        list(blobs.iterate())


def test_digest_of_another_form_is_a_mistake(blobs: Blobs) -> None:
    for use in (blobs.read, blobs.stream, blobs.exists):
        with pytest.raises(ValueError, match="is no SHA-256"):
            use("../../etc/passwd")
