"""A process that owns a device: requests in, images and files out.

`python -m nvs_server.compute.worker SOCKET` is run by the gateway, never by hand. Four
threads: one reads requests, one loads scenes, one (the caller of `run`) owns the
network, one encodes images. A running build or video serves waiting renders whenever it
reports its progress; it is done together with the other processes of the worker, if it
has several.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.api.jobs import JobStage
from nvs.api.stream import Timings
from nvs.api.system import Tier
from nvs.cameras import Camera
from nvs.errors import ConfigError, NvsError
from nvs.parallel.devices import Place
from nvs.parallel.group import Group
from nvs.parallel.meeting import Meeting
from nvs.scene import Scene
from nvs_server.compute import wire
from nvs_server.compute.agenda import Agenda, Batch, Job, Render
from nvs_server.compute.encode import MEDIA_TYPES, check_background, encode
from nvs_server.compute.making import build, video
from nvs_server.compute.models import Models, find_model, load_models
from nvs_server.compute.orders import BuildOrder, RenderOrder, VideoOrder
from nvs_server.compute.protocol import Cancelled
from nvs_server.compute.scene_cache import SceneCache, scene_cache
from nvs_server.compute.wire import Message, Pipe
from nvs_server.heap import set_aside
from nvs_server.settings import ComputeSettings
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.records import SceneRef

MAX_UNENCODED = 32
"""Rendered images that may wait to be encoded before rendering pauses."""
PROGRESS_SECONDS = 0.05
"""Shortest time between two reports of the same stage."""

NICENESS = 10
"""The gateway goes first: it has little to do, and someone waits for each bit of it."""


class Worker:
    """Does what the gateway asks for, with these models and scenes."""

    def __init__(self, pipe: Pipe, models: Models, cache: SceneCache) -> None:
        self._pipe = pipe
        self._models = models
        self._cache = cache
        device = next(iter(models.values())).renderer.device
        self._meeting = Meeting(device)
        self._agenda = Agenda(self._drop)
        self._open: dict[int, Render | Job] = {}
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        self._unencoded = threading.BoundedSemaphore(MAX_UNENCODED)
        self._num_images = 0
        self._num_batches = 0

    def take(self, request: Message) -> None:
        """Take a request, on the reader's thread."""
        if request["op"] == "cancel":
            cancelled = self._open.get(request["id"])
            if cancelled is not None:
                cancelled.cancelled = True
                self._agenda.wake()
        elif request["op"] == "render":
            try:
                self._take_render(request)
            except Exception as error:  # noqa: BLE001 - whoever asked is told
                self._pipe.send_error(request["id"], error)
        else:
            place = request.get("place")
            job = Job(
                id=request["id"],
                request=request,
                place=None if place is None else wire.from_json(Place, place),
            )
            self._open[job.id] = job
            self._agenda.add(job)

    def run(self) -> None:
        """Work for ever."""
        while True:
            work = self._agenda.next()
            if isinstance(work, Batch):
                self._render(work)
            else:
                self._do(work)

    def send_status(self) -> None:
        """Tell the gateway the numbers of cache and renders."""
        self._pipe.send(
            event="status",
            cache=[wire.to_json(tier) for tier in self._cache.status()],
            num_read=self._cache.num_read,
            images_total=self._num_images,
            batches_total=self._num_batches,
        )

    def _take_render(self, request: Message) -> None:
        arrived = time.perf_counter()
        order = wire.from_json(RenderOrder, request["order"])
        model = find_model(self._models, order.scene.weights)
        check_background(order.options, model.info)
        render = Render(
            id=request["id"],
            order=order,
            camera=_camera(order).check(),
            arrived_seconds=arrived,
        )
        self._open[render.id] = render
        found = self._cache.pin(order.scene)
        if found is not None:
            self._add(render, *found)
        else:
            self._loader.submit(self._load, render)

    def _load(self, render: Render) -> None:
        """Have the scene of a render there, on the loader's thread."""
        if render.cancelled:
            self._drop(render)
            return
        try:
            found = self._cache.load(render.order.scene)
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            self._fail(render, error)
        else:
            self._add(render, *found)

    def _add(self, render: Render, scene: Scene, tier: Tier) -> None:
        render.scene, render.tier = scene, tier
        render.loaded_seconds = time.perf_counter()
        self._agenda.add(render)

    def _render(self, batch: Batch) -> None:
        begun = time.perf_counter()
        first = batch.parts[0][0]
        assert first.scene is not None, "renders come here with their scene"
        try:
            model = find_model(self._models, first.order.scene.weights)
            image = model.renderer.render(first.scene, batch.camera).float().cpu()
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            for render, _ in batch.parts:
                render.cancelled = True  # its other images are not wanted any more
                if render.num_begun == len(render.camera):
                    self._let_go(render)
                self._fail(render, error)
            return
        model_seconds = time.perf_counter() - begun
        for render, _ in batch.parts:
            if render.num_begun == len(render.camera):
                self._let_go(render)
        self._num_images += len(image)
        self._num_batches += 1
        self.send_status()
        images = iter(image)
        for render, part in batch.parts:
            for index in part:
                self._unencoded.acquire()
                self._encoder.submit(
                    self._encode, render, index, next(images), model_seconds
                )

    def _encode(
        self,
        render: Render,
        index: int,
        image: Float[Tensor, "height width 3"],
        model_seconds: float,
    ) -> None:
        """Encode and send one image, on the encoder's thread."""
        try:
            if render.id not in self._open:
                return
            begun = time.perf_counter()
            options = render.order.options
            data = encode(image.numpy(), options)
            now = time.perf_counter()
            load = render.loaded_seconds - render.arrived_seconds
            queue = begun - render.arrived_seconds - load - model_seconds
            timings = Timings(
                queue_ms=1000 * max(0.0, queue),
                load_ms=1000 * load,
                model_ms=1000 * model_seconds,
                encode_ms=1000 * (now - begun),
            )
            picture = {
                "media_type": MEDIA_TYPES[options.format],
                "height": options.height,
                "width": options.width,
                "timings": wire.to_json(timings),
                "tier": render.tier,
            }
            self._pipe.send(data, id=render.id, event="picture", picture=picture)
            if index + 1 == len(render.camera):
                self._open.pop(render.id, None)
                self._pipe.send(id=render.id, event="result")
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            self._fail(render, error)
        finally:
            self._unencoded.release()

    def _do(self, job: Job) -> None:
        try:
            meets = job.place is not None and not self._meeting.has_met(job.place)
            if meets:
                self._pipe.send(id=job.id, event="meeting")
            with self._meeting.group(job.place) as group:
                if meets:
                    self._pipe.send(id=job.id, event="met")
                value = self._result(job, group)
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            self._fail(job, error)
        else:
            self._open.pop(job.id, None)
            self.send_status()
            self._pipe.send(id=job.id, event="result", value=wire.to_json(value))

    def _result(self, job: Job, group: Group) -> object:
        tick = self._ticker(job)
        match job.request["op"]:
            case "build":
                order = wire.from_json(BuildOrder, job.request["order"])
                return build(
                    find_model(self._models, order.weights), order, tick, group
                )
            case "video":
                order = wire.from_json(VideoOrder, job.request["order"])
                model = find_model(self._models, order.scene.weights)
                tick("rendering", 0.0)
                scene = self._borrow(order.scene)
                return video(model, scene, order, tick, group)
            case op:
                raise ValueError(f"no such request: {op}")

    def _borrow(self, ref: SceneRef) -> Scene:
        """A scene for a job; renders go on while it is loaded."""
        loading: Future[Scene] = self._loader.submit(self._cache.borrow, ref)
        loading.add_done_callback(lambda _: self._agenda.wake())
        while not loading.done():
            batch = self._agenda.next_batch(until=loading.done)
            if batch is not None:
                self._render(batch)
        return loading.result()

    def _ticker(self, job: Job) -> Callable[[JobStage, float], None]:
        """What a job calls at each step: reports, serves renders, raises to stop."""
        last: tuple[JobStage | None, float] = (None, 0.0)

        def tick(stage: JobStage, fraction: float) -> None:
            nonlocal last
            if job.cancelled:
                raise _given_up()
            now = time.monotonic()
            if stage != last[0] or now - last[1] >= PROGRESS_SECONDS:
                last = (stage, now)
                self._pipe.send(
                    id=job.id, event="progress", stage=stage, fraction=fraction
                )
            num_waiting = self._agenda.num_renders
            while num_waiting > 0 and (batch := self._agenda.next_batch()) is not None:
                self._render(batch)
                num_waiting -= len(batch.parts)

        return tick

    def _drop(self, item: Render | Job) -> None:
        if isinstance(item, Render) and item.scene is not None:
            self._let_go(item)
        if item.id in self._open:
            self._fail(item, _given_up())

    def _let_go(self, render: Render) -> None:
        render.scene = None
        self._cache.unpin(render.order.scene)

    def _fail(self, item: Render | Job, error: Exception) -> None:
        self._open.pop(item.id, None)
        if isinstance(error, torch.OutOfMemoryError):
            error = ConfigError(
                "the device has not enough memory for this",
                remedy="Ask for smaller images, or fewer views.",
            )
        self._pipe.send_error(item.id, error)
        if isinstance(error, torch.AcceleratorError):  # the device is lost to us
            traceback.print_exception(error)
            os._exit(1)


def _given_up() -> Cancelled:
    return Cancelled("the work was given up", remedy="Ask for it again if needed.")


def _camera(order: RenderOrder) -> Camera:
    """Cameras of an order; float64, so that rounding is left to the renderer."""
    poses = [camera.world_from_camera for camera in order.cameras]
    intrinsics = [[c.fx, c.fy, c.cx, c.cy] for c in order.cameras]
    return Camera(
        world_from_camera=torch.tensor(poses, dtype=torch.float64),
        intrinsics=torch.tensor(intrinsics, dtype=torch.float64),
        height=order.options.height,
        width=order.options.width,
    )


def main() -> int:
    """Load the models, then work until the gateway is gone."""
    os.nice(NICENESS)
    pipe = Pipe.inherited()
    told = pipe.receive()
    settings = wire.from_json(ComputeSettings, told["settings"])
    started: Future[Worker] = Future()
    pipe.listen(lambda request: started.result().take(request))
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    try:
        models = load_models(settings, told["device"])
        blobs = Blobs(settings.blobs, settings.cache_folder, settings.disk_cache_bytes)
    except NvsError as error:
        pipe.send(event="failed", error=wire.error_to_json(error))
        return 1
    worker = Worker(pipe, models, scene_cache(models, blobs, settings))
    started.set_result(worker)
    device = next(iter(models.values())).renderer.device
    worker.send_status()
    pipe.send(
        event="ready",
        models=[wire.to_json(model.info) for model in models.values()],
        shapes=[wire.to_json(model.shapes) for model in models.values()],
        trained_on=[m.renderer.trained_on.to_json() for m in models.values()],
        device=str(device),
        num_devices=torch.cuda.device_count() if device.type == "cuda" else 1,
    )
    set_aside()
    worker.run()
    return 0


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # other threads are waiting for ever
