"""Clients that go away while their picture is being rendered."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field

from nvs.client import AsyncClient, PosedCamera
from trials.load.direct import Direct, around, asked
from trials.load.report import Outcome, quantile
from trials.load.service import Service, renders_are, service

SIZE_PX = 512
NUM_LEAVES = 10


@dataclass(slots=True)
class Left:
    """What leaving clients left behind."""

    frame_ms: list[float] = field(default_factory=list[float])
    """A whole render, undisturbed."""
    freed_ms: list[float] = field(default_factory=list[float])
    """From leaving until the place is free."""
    images: list[int] = field(default_factory=list[int])
    """Images rendered for each client that left."""


async def leave(
    running: Service, scene_id: str, cameras: list[PosedCamera], *, size_px: int
) -> Left:
    """Let a client in for each camera; it leaves once its render has a place."""
    left = Left()
    async with AsyncClient(running.url) as leaver, AsyncClient(running.url) as watcher:
        for camera in cameras:
            begun = time.perf_counter()
            await leaver.render(scene_id, camera, height=size_px, width=size_px)
            left.frame_ms.append(1000 * (time.perf_counter() - begun))
            before = _images(running)
            rendering = asyncio.create_task(
                leaver.render(scene_id, camera, height=size_px, width=size_px)
            )
            await renders_are(watcher, 1)
            gone = time.perf_counter()
            rendering.cancel()
            with suppress(asyncio.CancelledError):
                await rendering
            await renders_are(watcher, 0)
            left.freed_ms.append(1000 * (time.perf_counter() - gone))
            await watcher.render(scene_id, camera, height=64, width=64)
            left.images.append(_images(running) - before - 1)
    return left


def _images(running: Service) -> int:
    return int(running.metric("nvs_backend_images_total"))


def trial() -> Outcome:
    """Until the place is free must take less than rendering one picture."""
    direct = Direct.load()
    scene = direct.scene()
    with service() as running:
        scene_id = running.add(scene)
        cameras = asked(around(scene, NUM_LEAVES, SIZE_PX))
        left = asyncio.run(leave(running, scene_id, cameras, size_px=SIZE_PX))
    frame_ms = quantile(left.frame_ms, 0.5)
    return Outcome(
        f"leave: {NUM_LEAVES} clients leave in mid-render of {SIZE_PX} px, ms",
        ["", "p50", "longest"],
        [
            [name, f"{quantile(values, 0.5):.1f}", f"{max(values):.1f}"]
            for name, values in (
                ("a render", left.frame_ms),
                ("place free after", left.freed_ms),
            )
        ]
        + [["images rendered for nobody", "", str(max(left.images))]],
        [
            (
                f"place free within one render ({frame_ms:.0f} ms): "
                f"at most {max(left.freed_ms):.0f}",
                max(left.freed_ms) < frame_ms,
            ),
            ("at most one image for who has left", max(left.images) <= 1),
        ],
    )
