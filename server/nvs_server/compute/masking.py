"""Cutting the thing out of a stranger's photographs: masks, and previews of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nvs.api.masks import MaskResult, ProposedMask
from nvs.api.names import PROPOSED_FOLDER
from nvs.file_kinds import mask_name
from nvs.files import file_sha256
from nvs.scene.datasets import read_dataset
from nvs.scene.pictures import encoded
from nvs_data.masking import (
    check_unmasked,
    find_masks,
    mask_file,
    preview,
)
from nvs_data.segmenters import segmenter
from nvs_server.compute.orders import FoundMasks, MaskOrder
from nvs_server.storage.records import FileKind, FileRecord

PREVIEW_PX = 256


def cut_out(order: MaskOrder, tick: Callable[[float], None]) -> FoundMasks:
    """Make masks of a dataset's photographs.

    Args:
        order: The dataset, and how.
        tick: Called with how much is done, in [0, 1].

    Raises:
        DatasetError, CameraError, ConfigError: If there is no thing to be cut out, it
            is cut out already, or the method is not to be had.
    """
    tick(0.0)
    dataset = read_dataset(order.folder)
    if not order.request.force:
        check_unmasked(dataset, order.folder)
    cuts = find_masks(
        dataset,
        segmenter(order.request.method),
        progress=lambda done, total: tick(done / total),
    )
    root = order.folder.resolve()
    files: list[FileRecord] = []
    masks: list[ProposedMask] = []
    for cut in cuts:
        image = cut.original.file.relative_to(root).as_posix()
        if image not in order.images:  # put there for readers
            image = image.removeprefix("images/")
        mask = _stored(order.output, mask_name(image), "mask", mask_file(cut))
        files.append(mask.model_copy(update={"height": cut.height, "width": cut.width}))
        small = encoded(preview(cut, PREVIEW_PX), "jpeg")
        files.append(_stored(order.output, image, "preview", small))
        masks.append(
            ProposedMask(image=image, agreement=cut.agreement, share=cut.share)
        )
    return FoundMasks(files=tuple(files), result=MaskResult(masks=masks))


def _stored(output: Path, name: str, kind: FileKind, data: bytes) -> FileRecord:
    path = f"{PROPOSED_FOLDER}/{name}"
    file = output / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return FileRecord(
        path=path, kind=kind, sha256=file_sha256(file), num_bytes=len(data)
    )
