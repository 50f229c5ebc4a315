"""The client of `nvs serve`: `Client`, or `AsyncClient` for asyncio programs.

with Client("http://127.0.0.1:8000", key=key) as client:
scene = client.create_scene("chair")
client.upload_dataset(scene.id, "chair/")
client.build(scene.id, size=256)
picture = client.render(scene.id, camera, height=256, width=256)
"""

from nvs.terminal.extras import needs_extra

with needs_extra("client"):
    from nvs.api.cameras import LookAt, PosedCamera, PosedCameraFov
    from nvs.api.framing import Closeness, Concern, Expectation, HeldOut
    from nvs.api.jobs import Job
    from nvs.api.posing import Posing
    from nvs.api.scenes import (
        CamerasReport,
        Failure,
        Finding,
        ImageFile,
        Input,
        Scene,
        Validation,
    )
    from nvs.api.system import (
        CacheTier,
        Capacity,
        FieldProblem,
        Me,
        Model,
        Queue,
        Quotas,
        Usage,
        Worker,
    )
    from nvs.client.async_client import AsyncClient
    from nvs.client.client import Client, RenderStream
    from nvs.client.errors import (
        JobFailedError,
        ServiceAnswerError,
        ServiceError,
        ServiceUnreachableError,
    )
    from nvs.client.pictures import Camera, Picture
    from nvs.client.stream import AsyncRenderStream, StreamFrame
    from nvs.client.transfers import UploadProgress
    from nvs.client.transport import Retries

__all__ = [
    "AsyncClient",
    "AsyncRenderStream",
    "CacheTier",
    "Camera",
    "CamerasReport",
    "Capacity",
    "Client",
    "Closeness",
    "Concern",
    "Expectation",
    "Failure",
    "FieldProblem",
    "Finding",
    "HeldOut",
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
    "Posing",
    "Queue",
    "Quotas",
    "RenderStream",
    "Retries",
    "Scene",
    "ServiceAnswerError",
    "ServiceError",
    "ServiceUnreachableError",
    "StreamFrame",
    "UploadProgress",
    "Usage",
    "Validation",
    "Worker",
]
