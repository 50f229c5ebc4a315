"""The process that decodes what strangers send.

`python -m nvs_server.compute.inspector SOCKET` is run by the gateway, never by hand.
Torch is imported for those requests that need it.
"""

from __future__ import annotations

import logging
import os
import queue
import resource
from pathlib import Path

from nvs.api.jobs import BuildRequest, JobStage
from nvs.api.posing import PosingSketch
from nvs.api.system import Model
from nvs.errors import DatasetError, ImageError, NvsError
from nvs.images import read_image
from nvs_server.compute import wire
from nvs_server.compute.orders import ImageSize, MaskOrder, PoseOrder, PrepareOrder
from nvs_server.compute.protocol import doing
from nvs_server.compute.wire import Message, Pipe
from nvs_server.naming import shown_as
from nvs_server.settings import ComputeSettings

PRIORITY = 10
"""Niceness of long work: renders and builds of this machine go first."""


def main() -> None:
    """Answer one request after another until the gateway is gone."""
    pipe = Pipe.inherited()
    settings = wire.from_json(ComputeSettings, pipe.receive())
    memory_bytes = int(settings.inspector_memory_bytes)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    logging.getLogger("nvs.data").setLevel(logging.ERROR)  # missing images: the answer
    requests: queue.SimpleQueue[Message] = queue.SimpleQueue()
    pipe.listen(requests.put)
    pipe.send(event="ready")
    while True:
        request = requests.get()
        if request["op"] == "cancel":
            continue  # whoever cancels ends this process
        try:
            with shown_as(*_called(request)):
                value = _answer(pipe, settings, request)
        except NvsError as error:
            pipe.send_error(request["id"], error)
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            if _is_shortage(error):
                error = _too_large(settings, request)
            pipe.send_error(request["id"], error)
        else:
            pipe.send(id=request["id"], event="result", value=wire.to_json(value))


def _answer(pipe: Pipe, settings: ComputeSettings, request: Message) -> object:
    """What a request asks for; torch is imported for those that need it."""
    if request["op"] == "image":
        return inspect_image(
            Path(request["path"]), max_pixels=settings.max_image_pixels
        )
    if request["op"] == "scene":
        from nvs_server.compute.inspections import inspect_scene

        return inspect_scene(
            Path(request["path"]),
            request["sha256"],
            Path(request["output"]),
            models=request["models"],
            shapes=request["shapes"],
            trained_on=request["trained_on"],
        )
    if request["op"] in ("pose", "mask"):
        os.nice(max(0, PRIORITY - os.nice(0)))
    if request["op"] == "pose":
        from nvs_server.compute.posing import find_cameras

        return find_cameras(
            wire.from_json(PoseOrder, request["order"]),
            settings.pose_threads,
            lambda stage, fraction, sketch: _tick(
                pipe, request, stage, fraction, sketch
            ),
        )
    if request["op"] == "mask":
        from nvs_server.compute.masking import cut_out

        return cut_out(
            wire.from_json(MaskOrder, request["order"]),
            lambda fraction: _tick(pipe, request, "cutting out", fraction),
        )
    from nvs_server.compute import expected, inspections

    match request["op"]:
        case "cameras":
            return inspections.inspect_cameras(Path(request["folder"]))
        case "validate":
            return inspections.validate(
                Path(request["folder"]),
                wire.from_json(Model, request["model"]),
                expected.trained_on(request["trained_on"]),
            )
        case "expect":
            return expected.expect(
                Path(request["folder"]),
                wire.from_json(BuildRequest, request["request"]),
                wire.from_json(Model, request["model"]),
                expected.trained_on(request["trained_on"]),
                look=request["look"],
            )
        case "prepare":
            return inspections.prepare(
                wire.from_json(PrepareOrder, request["order"]),
                wire.from_json(Model, request["model"]),
                lambda fraction: _tick(pipe, request, "reading images", fraction),
            )
        case op:
            raise ValueError(f"no such request: {op}")


def _tick(
    pipe: Pipe,
    request: Message,
    stage: JobStage,
    fraction: float,
    sketch: PosingSketch | None = None,
) -> None:
    told: Message = {"id": request["id"], "stage": stage, "fraction": fraction}
    if sketch is not None:
        told["sketch"] = wire.to_json(sketch)
    pipe.send(event="progress", **told)


def _is_shortage(error: Exception) -> bool:
    """Whether memory ran out, as Python, torch and OpenCV put it."""
    said = str(error)
    return (
        isinstance(error, MemoryError)
        or "allocate memory" in said
        or "Insufficient memory" in said
        or "bad_alloc" in said
    )


def _too_large(settings: ComputeSettings, request: Message) -> NvsError:
    kind = ImageError if request["op"] == "image" else DatasetError
    return kind(
        f"{doing(request['op'])} needs more than the "
        f"{settings.inspector_memory_bytes >> 20} MiB it may take",
        remedy="Send less, or smaller images.",
    )


def _called(request: Message) -> tuple[Path, str]:
    """Where what a request is about lies, and what its user calls it."""
    if request["op"] == "image":
        return Path(request["path"]), "the image"
    if request["op"] == "scene":
        return Path(request["path"]), "the scene file"
    if request["op"] == "pose":
        return Path(request["order"]["folder"]), "the capture"
    values = request.get("order", request)
    return Path(values["folder"]), "the dataset"


def inspect_image(path: Path, *, max_pixels: int) -> ImageSize:
    """Decode an image.

    Raises:
        ImageError: If it cannot be decoded or has more pixels.
    """
    height, width = read_image(path, max_pixels=max_pixels).shape[:2]
    return ImageSize(height=height, width=width)


if __name__ == "__main__":
    main()
