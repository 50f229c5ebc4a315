"""Downloads from the model hub that go on where an earlier run stopped."""

from __future__ import annotations

import os
import re
from pathlib import Path

from nvs.errors import WeightsUnavailableError
from nvs.files import file_sha256, write_text

SHA256 = re.compile(r"[0-9a-f]{64}")


def download(repository: str, file: str, folder: Path) -> Path:
    """Fetch a file of a hub repository, with a progress bar.

    What has arrived is kept in a `.partial` file named after the content, so that a
    run that was interrupted, killed or cut off is resumed by the next one. The SHA-256
    is checked against the hub's where it states one, and recorded beside the file.

    Raises:
        WeightsUnavailableError: If the hub cannot be reached or does not have the file,
            or if what arrives is not what it promised.
        OutputError: If the hash cannot be recorded.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    transport_error = HfHubHTTPError.__bases__[0]  # of the hub's own HTTP library
    target = folder / file
    try:
        folder.mkdir(parents=True, exist_ok=True)
        metadata = get_hf_file_metadata(hf_hub_url(repository, file))
        partial = folder / f"{file}.{(metadata.etag or 'unknown')[:16]}.partial"
        with partial.open("ab") as out:
            if out.tell() != metadata.size:
                http_get(
                    metadata.location,
                    out,
                    resume_size=out.tell(),
                    headers=build_hf_headers(),
                    expected_size=metadata.size,
                    displayed_filename=file,
                )
            out.flush()
            os.fsync(out.fileno())
    except (transport_error, OSError) as error:  # pyright: ignore
        raise WeightsUnavailableError(
            f"cannot download {file} of {repository} ({type(error).__name__}: "
            f"{str(error).splitlines()[0]})",
            remedy="Check the network connection and try again (a started download "
            f"resumes), or copy the file to {target}.",
        ) from error
    found = file_sha256(partial)
    stated = metadata.etag or ""
    if SHA256.fullmatch(stated) and found != stated:
        partial.unlink()
        raise WeightsUnavailableError(
            f"{file} of {repository} arrived damaged (SHA-256 {found[:12]}…, "
            f"the hub states {stated[:12]}…)",
            remedy="Try again; it will be fetched from the start.",
        )
    write_text(recorded_hash_path(target), found + "\n")
    partial.replace(target)
    return target


def recorded_hash_path(path: Path) -> Path:
    """Where the hash of a download is recorded."""
    return path.with_name(path.name + ".sha256")
