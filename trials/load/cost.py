"""What the service costs a render, beside the network and the encoder."""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

from nvs.api.renders import ImageFormat
from nvs.client.pictures import TIMING
from trials.load.direct import QUALITY, Direct, around, asked
from trials.load.report import Outcome, quantile
from trials.load.service import service

NUM_RENDERS = 150
NUM_WARM = 20
SIZES_PX = (64, 128)
FORMATS: tuple[ImageFormat, ...] = ("jpeg", "png", "float32")
LIMIT_MS = 5.0


def trial() -> Outcome:
    """One client, one scene; a direct render follows every one of the service.

    After both an empty answer is fetched: what HTTP alone takes here. The requests are
    made by the standard library: what `nvs.client` takes is not the service's.
    """
    direct = Direct.load()
    scene = direct.scene()
    rows: list[list[str]] = []
    worst = 0.0
    with service() as running:
        connection = HTTPConnection(urlsplit(running.url).netloc)
        scene_id = running.add(scene)
        placed = scene.to(dtype=direct.model.renderer.precision.compute)
        for size_px in SIZES_PX:
            cameras = around(scene, NUM_RENDERS + NUM_WARM, size_px)
            for format in FORMATS:
                wall: list[float] = []
                alone: list[float] = []
                own: list[float] = []
                queue: list[float] = []
                trivial: list[float] = []
                options = {"format": format, "quality": QUALITY}
                size = {"height": size_px, "width": size_px}
                for index, camera in enumerate(asked(cameras)):
                    camera_json = {"camera": camera.model_dump()}
                    body = json.dumps(camera_json | size | options)
                    begun = time.perf_counter()
                    connection.request(
                        "POST",
                        f"/v1/scenes/{scene_id}/render",
                        body,
                        {"Content-Type": "application/json"},
                    )
                    answer = connection.getresponse()
                    picture = answer.read()
                    answered = time.perf_counter()
                    (data,) = direct.render(placed, cameras[[index]], format)
                    done = time.perf_counter()
                    connection.request("GET", "/livez")
                    connection.getresponse().read()
                    replied = time.perf_counter()
                    if data != picture:
                        raise AssertionError("the service's picture is another one")
                    if index < NUM_WARM:
                        continue
                    wall.append(1000 * (answered - begun))
                    alone.append(1000 * (done - answered))
                    spent = dict(TIMING.findall(answer.headers["Server-Timing"]))
                    own.append(
                        wall[-1] - float(spent["model"]) - float(spent["encode"])
                    )
                    queue.append(float(spent["queue"]))
                    trivial.append(1000 * (replied - done))
                worst = max(worst, quantile(own, 0.5))
                more = [a - b for a, b in zip(wall, alone, strict=True)]
                rows.append(
                    [
                        f"{size_px} {format}",
                        f"{quantile(wall, 0.5):.2f}",
                        f"{quantile(alone, 0.5):.2f}",
                        f"{quantile(more, 0.5):.2f}",
                        *(f"{quantile(own, share):.2f}" for share in (0.25, 0.5, 0.95)),
                        f"{quantile(queue, 0.5):.2f}",
                        f"{quantile(trivial, 0.5):.2f}",
                    ]
                )
    return Outcome(
        f"cost: ms a render, p50 of {NUM_RENDERS} unless told otherwise",
        [
            *("px format", "service", "direct", "difference"),
            *("own p25", "own p50", "own p95", "of it queue", "/livez"),
        ],
        rows,
        [
            (
                f"own cost (wall - model - encode) p50 below {LIMIT_MS:g} ms: "
                f"at most {worst:.2f}",
                worst < LIMIT_MS,
            )
        ],
    )
