"""The render stream: poses in, pictures out, over one WebSocket."""

from __future__ import annotations

from fastapi import APIRouter, WebSocket

from nvs_server.access.dependencies import (
    AdmissionDep,
    Keys,
    MetricsDep,
    RenderCaller,
    Scenes,
    SettingsDep,
)
from nvs_server.routes.dependencies import find_scene
from nvs_server.routes.renders import PicturesDep
from nvs_server.routes.stream_session import StreamSession

router = APIRouter(prefix="/v1/scenes")


@router.websocket("/{scene_id}/stream")
async def stream(
    websocket: WebSocket,
    scene_id: str,
    caller: RenderCaller,
    keys: Keys,
    scenes: Scenes,
    admission: AdmissionDep,
    settings: SettingsDep,
    metrics: MetricsDep,
    pictures: PicturesDep,
) -> None:
    """Serve one client until it leaves, falls silent, or loses its key or the scene."""
    scene = await find_scene(scenes, caller, scene_id)
    with admission.stream():
        await websocket.accept()
        session = StreamSession(
            websocket,
            scene,
            caller,
            keys,
            scenes,
            pictures,
            admission,
            metrics,
            max_message_bytes=settings.max_json_bytes,
        )
        await session.run()
