"""`python -m nvs_server.worker SOCKET`: run by the gateway, never by hand."""

from __future__ import annotations

import os
import sys
from concurrent.futures import Future

import torch

from nvs.errors import NvsError
from nvs_server.backends import wire
from nvs_server.backends.pipe import Pipe
from nvs_server.backends.settings import WorkerConfiguration
from nvs_server.heap import set_aside
from nvs_server.storage.blobs import Blobs
from nvs_server.worker.files import scene_cache
from nvs_server.worker.loop import Worker
from nvs_server.worker.models import load_models

NICENESS = 10
"""The gateway goes first: it has little to do, and someone waits for each bit of it."""


def main() -> int:
    """Load the models, then work until the gateway is gone."""
    os.nice(NICENESS)
    pipe = Pipe.inherited()
    configuration = wire.from_json(WorkerConfiguration, pipe.receive())
    started: Future[Worker] = Future()
    pipe.listen(lambda request: started.result().take(request))
    if configuration.threads is not None:
        torch.set_num_threads(configuration.threads)
    try:
        models = load_models(configuration)
        blobs = Blobs(
            configuration.blobs_url,
            configuration.disk_cache_folder,
            configuration.disk_cache_bytes,
        )
    except NvsError as error:
        pipe.send(event="failed", error=wire.error_to_json(error))
        return 1
    worker = Worker(pipe, models, scene_cache(models, blobs, configuration))
    started.set_result(worker)
    device = next(iter(models.values())).renderer.device
    worker.send_status()
    pipe.send(
        event="ready",
        models=[wire.to_json(model.info) for model in models.values()],
        shapes=[wire.to_json(model.shapes) for model in models.values()],
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
