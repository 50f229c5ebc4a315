"""Scenes of the DL3DV benchmark from the Hugging Face hub, file by file.

The data set is gated: its terms have to be accepted once on its page, and downloads
need a token. A file that is there already with the right hash is not fetched again, so
that a download that was stopped goes on; dropped lines are taken up again by the hub's
client where they stopped.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from nvs.errors import ConfigError, DatasetError
from nvs.files import file_sha256
from nvs.scene.dataset_files import inside
from nvs_data.readers.dl3dv import FILE, FOLDER, IMAGE_FOLDERS

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoFile

BENCHMARK_REPOSITORY = "DL3DV/DL3DV-Benchmark"
_SCENE = re.compile(r"[0-9a-f]{64}")
_PARALLEL_DOWNLOADS = 8


def download_dl3dv_scene(
    scene: str,
    folder: Path | str,
    *,
    repository: str = BENCHMARK_REPOSITORY,
    token: str | None = None,
    endpoint: str | None = None,
) -> Path:
    """Fetch the cameras and the 960×540 images of one scene.

    Args:
        scene: Its name: 64 hexadecimal digits.
        folder: Where scenes are kept; the scene becomes a folder in it.
        repository: The data set on the hub.
        token: Access token; the one of `hf auth login` or `HF_TOKEN` if absent.
        endpoint: Address of the hub; that of `HF_ENDPOINT`, or the public one, if
            absent.

    Returns:
        The folder of the scene, in the layout `dl3dv`.

    Raises:
        ConfigError: If the name cannot be a scene's.
        DatasetError: If the scene does not exist, access is refused, the hub cannot be
            reached, or a file's hash is not the one that the hub states.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    if not _SCENE.fullmatch(scene):
        raise ConfigError(
            f"{scene!r} is not the name of a DL3DV scene",
            remedy="Give the 64 hexadecimal digits of its folder.",
        )
    folder = Path(folder)
    api = HfApi(endpoint=endpoint, token=token)
    start = f"{scene}/{FOLDER}"

    def fetch(file: RepoFile) -> None:
        target = inside(folder, file.path)
        if _is_intact(target, file):
            return
        target.unlink(missing_ok=True)
        api.hf_hub_download(
            repository, file.path, repo_type="dataset", local_dir=folder
        )
        if not _is_intact(target, file):
            target.unlink(missing_ok=True)
            raise DatasetError(
                f"{file.path} of {repository} arrived with the wrong hash",
                remedy="Try again; if it stays wrong, something alters the download.",
            )

    with _readable_errors(scene, repository):
        tree = api.list_repo_tree(
            repository, start, recursive=True, repo_type="dataset"
        )
        wanted = (f"{start}/{FILE}", f"{start}/{IMAGE_FOLDERS[0]}/")
        files = [
            entry
            for entry in tree
            if isinstance(entry, RepoFile) and entry.path.startswith(wanted)
        ]
        with ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool:
            for _ in pool.map(fetch, files):
                pass
    return folder / scene


def _is_intact(path: Path, file: RepoFile) -> bool:
    """Whether the file is there with the hash the hub states: SHA-256 or git's."""
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    if file.lfs is not None:
        return file_sha256(path) == file.lfs.sha256
    blob = b"blob %d\0" % file.size + path.read_bytes()
    return hashlib.sha1(blob, usedforsecurity=False).hexdigest() == file.blob_id


@contextmanager
def _readable_errors(scene: str, repository: str) -> Generator[None]:
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    # The base of all errors of the HTTP library that the hub's client uses.
    transport_error = cast("type[Exception]", HfHubHTTPError.__bases__[0])
    try:
        yield
    except RepositoryNotFoundError as error:
        raise DatasetError(
            f"the hub refuses access to {repository}",
            remedy=f"Accept its terms at https://huggingface.co/datasets/{repository}, "
            "then run `hf auth login` or give a token.",
        ) from error
    except (EntryNotFoundError, transport_error, OSError) as error:
        remote = not isinstance(error, LocalEntryNotFoundError)
        if remote and isinstance(error, EntryNotFoundError):
            raise DatasetError(
                f"{repository} has no scene {scene}", remedy="Check the name."
            ) from error
        raise DatasetError(
            f"cannot download {scene} of {repository} ({type(error).__name__}: "
            f"{str(error).partition(chr(10))[0]})",
            remedy="Check the network connection and try again; what has arrived "
            "is kept.",
        ) from error
