"""The client of `nvs serve`: `Client`, or `AsyncClient` for asyncio programs.

with Client("http://127.0.0.1:8000", key=key) as client:
scene = client.create_scene("chair")
client.upload_dataset(scene.id, "chair/")
client.build(scene.id, size=256)
picture = client.render(scene.id, camera, height=256, width=256)
"""

from importlib.util import find_spec

from nvs.errors import MissingExtraError

if find_spec("httpx") is None:
    raise MissingExtraError("httpx", "client")

from nvs.client.async_client import AsyncClient
from nvs.client.cameras import Camera, LookAt, PosedCamera, PosedCameraFov
from nvs.client.client import Client
from nvs.client.errors import (
    FieldProblem,
    JobFailedError,
    ServiceAnswerError,
    ServiceError,
    ServiceUnreachableError,
)
from nvs.client.models import (
    CamerasReport,
    Capacity,
    Finding,
    ImageFile,
    Input,
    Job,
    Me,
    Model,
    Scene,
    Validation,
)
from nvs.client.renders import Picture
from nvs.client.retries import Retries
from nvs.client.stream import AsyncRenderStream, RenderStream, StreamFrame
from nvs.client.uploads import UploadProgress

__all__ = [
    "AsyncClient",
    "AsyncRenderStream",
    "Camera",
    "CamerasReport",
    "Capacity",
    "Client",
    "FieldProblem",
    "Finding",
    "ImageFile",
    "Input",
    "Job",
    "JobFailedError",
    "LookAt",
    "Me",
    "Model",
    "Picture",
    "PosedCamera",
    "PosedCameraFov",
    "RenderStream",
    "Retries",
    "Scene",
    "ServiceAnswerError",
    "ServiceError",
    "ServiceUnreachableError",
    "StreamFrame",
    "UploadProgress",
    "Validation",
]
