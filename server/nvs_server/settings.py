"""What can be configured: environment variables `NVS_*`, or arguments of `Settings`."""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_data_path
from pydantic import (
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from nvs.api.values import MAX_SIDE_PX
from nvs.errors import ConfigError
from nvs.parallel.devices import parse_devices

PREFIX = "NVS_"
CLIENT_VARIABLES = frozenset({"NVS_SERVER", "NVS_KEY"})
"""Of `nvs remote`, which may run in the same environment."""
MIB, GIB = ByteSize(2**20), ByteSize(2**30)
MAX_CAMERAS_BYTES = 256 * MIB
"""Of camera files in an archive, unpacked; more of them packed make no sense."""

Count = Annotated[int, Field(ge=1)]
Bytes = Annotated[ByteSize, Field(ge=1)]
"""In the environment also with a unit, such as `8GiB`."""
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""As a text separated by commas."""


PageSource = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9+.-]*:(//[a-zA-Z0-9.*:\[\]-]+)?$")
]
"""A scheme, or an origin in which `*` stands for a port or subdomains."""


def devices_of(worker: str) -> list[str]:
    """Devices of a worker: one, or several as `cuda:0+cuda:1`, `cpu:2` or `4`.

    Raises:
        ConfigError: If several cannot be read, or are one.
    """
    if "+" not in worker and not worker.isdigit() and not worker.startswith("cpu:"):
        return [worker]
    names = parse_devices(worker.replace("+", ","))
    twice = [name for name in names if name != "cpu" and names.count(name) > 1]
    if twice:
        raise ConfigError(
            f"the worker {worker} has {twice[0]} twice",
            remedy="Name each device of a worker once.",
        )
    return names


class ComputeSettings(BaseModel):
    """What the processes of this machine that compute are told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_folder: Path = Field(
        default_factory=lambda: user_data_path("lact-nvs"),
        description="Folder of the database, the stored files and the caches.",
    )
    blobs_url: str = Field(
        "",
        description="Stored files: a folder, `s3://…` or `gs://…`; "
        "empty is `blobs` in the data folder.",
    )
    weights: Names = Field(
        ("lact_small",),
        min_length=1,
        description="Weights to serve, names or files; the first is the default.",
    )
    devices: Names = Field(
        (),
        description="Devices, one worker each, such as `cuda:0,cuda:1`, or several, "
        "such as `cuda:0+cuda:1,cuda:2+cuda:3` or `cpu:2`; empty is every CUDA device, "
        "or `cpu`.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="Precision of the network; auto is bfloat16 where the device is "
        "faster in it, else float32.",
    )
    compile: bool = Field(
        True,
        description="Have renders and builds run compiled on processors as soon as "
        "another process has compiled for this machine, once, which takes minutes.",
    )
    threads: Count | None = Field(
        None,
        description="Threads of each worker's process; empty leaves it to torch, or "
        "deals the cores to the CPU processes of a worker.",
    )
    device_cache_bytes: Bytes = Field(
        ByteSize(4 * GIB), description="Scenes kept on each device."
    )
    host_cache_bytes: Bytes = Field(
        ByteSize(8 * GIB),
        description="Scenes kept in main memory by each process of a worker.",
    )
    disk_cache_bytes: Bytes = Field(
        ByteSize(64 * GIB), description="Files kept on disk where blobs are remote."
    )
    inspector_memory_bytes: Bytes = Field(
        ByteSize(3 * GIB), description="Memory of the process that decodes uploads."
    )
    pose_memory_bytes: Bytes = Field(
        ByteSize(4 * GIB), description="Memory of the process that finds cameras."
    )
    pose_seconds: Seconds = Field(
        3600.0, description="Longest time to find the cameras of one scene."
    )
    pose_threads: Count | None = Field(
        None,
        description="Threads that find cameras, at low priority; empty is one a core.",
    )
    max_views: Count = Field(256, description="Input views of one build.")
    max_image_pixels: Count = Field(
        100_000_000, description="Height × width of one uploaded image."
    )

    @field_validator("data_folder")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("devices")
    @classmethod
    def _named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for worker in value:
            devices_of(worker)
        return value

    @property
    def blobs(self) -> str:
        """Folder or URL of the stored files."""
        return self.blobs_url or str(self.data_folder / "blobs")

    @property
    def poses_folder(self) -> Path:
        """Where posings that are not finished keep what they have found."""
        return self.data_folder / "poses"

    @property
    def cache_folder(self) -> Path:
        """Where files of a remote store are kept for reading."""
        return self.data_folder / "cache"


class ClusterSettings(ComputeSettings):
    """Where the workers are."""

    backend: Literal["local", "ray"] = Field(
        "local",
        description="Where workers run: on this machine, or in a Ray cluster.",
    )
    ray_address: str = Field(
        "auto",
        description="The cluster: `host:port`, `auto` for the one of this machine or "
        "of RAY_ADDRESS, or `local` to start one here.",
    )
    ray_min_replicas: Count = Field(
        1, description="Workers in the cluster, at the least."
    )
    ray_max_replicas: Count = Field(
        1, description="Workers in the cluster, at the most, when queues are long."
    )
    ray_replica_queue: Count = Field(
        32,
        description="Renders waiting and running at one worker of the cluster; more "
        "go to a second one, or get 429.",
    )

    @field_validator("ray_max_replicas")
    @classmethod
    def _not_less(cls, value: int, info: ValidationInfo) -> int:
        least = info.data.get("ray_min_replicas", 1)
        if value < least:
            raise ValueError(f"it is less than {PREFIX}RAY_MIN_REPLICAS, {least}")
        return value


class Settings(ClusterSettings, BaseSettings):
    """Settings of one server. Each field is documented by its description."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid"
    )

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address to listen on. Other than loopback needs an API key.",
    )
    port: int = Field(
        8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one."
    )
    database_url: str = Field(
        "",
        description="Database: `sqlite:///file` or `postgresql+psycopg://…`; "
        "empty is `nvs.sqlite` in the data folder.",
    )

    max_render_queue: Count = Field(
        64, description="Renders waiting and running; more get 429."
    )
    max_job_queue: Count = Field(256, description="Jobs waiting; more get 429.")
    max_render_pixels: Count = Field(
        MAX_SIDE_PX**2,
        le=MAX_SIDE_PX**2,
        description="Height × width of one rendered image, at most 2048 × 2048.",
    )
    max_batch_cameras: Count = Field(
        64, le=100_000, description="Cameras of one batch request, at most 100000."
    )
    max_video_frames: Count = Field(1800, description="Frames of one video.")
    max_images: Count = Field(1024, description="Images of one scene.")
    max_image_bytes: Bytes = Field(
        ByteSize(64 * MIB), description="Bytes of one uploaded image."
    )
    max_cameras_bytes: Bytes = Field(
        ByteSize(64 * MIB),
        le=MAX_CAMERAS_BYTES,
        description="Bytes of an upload of camera files, at most 256 MiB; "
        "one in JSON has at most 16 MiB.",
    )
    max_video_bytes: Bytes = Field(
        ByteSize(2 * GIB), description="Bytes of an uploaded video."
    )
    max_dataset_bytes: Bytes = Field(
        ByteSize(8 * GIB),
        description="Bytes of an uploaded dataset, packed and unpacked.",
    )
    max_scene_file_bytes: Bytes = Field(
        ByteSize(4 * GIB), description="Bytes of an uploaded scene file."
    )
    max_json_bytes: Bytes = Field(
        MIB, description="Bytes of any other request body and of a stream message."
    )
    max_streams: Count = Field(64, description="WebSocket streams open at one time.")
    body_grace_seconds: Seconds = Field(
        20.0, description="Head start of a request body, which must then keep 4 KiB/s."
    )

    quota_scenes: Count = Field(1000, description="Scenes of one owner.")
    quota_bytes: Bytes = Field(
        ByteSize(100 * GIB), description="Stored bytes of one owner."
    )
    quota_builds_per_day: Count = Field(1000, description="Builds a day of one owner.")
    rate_per_minute: Count = Field(
        600, description="Requests a minute of one key, unless the key says otherwise."
    )

    lease_seconds: Seconds = Field(
        60.0,
        description="A job whose gateway is silent for so long is taken over "
        "by another.",
    )
    max_attempts: Count = Field(3, description="Tries of a job before it has failed.")
    sweep_seconds: Seconds = Field(
        3600.0, description="Pause between two sweeps of files that nothing names."
    )
    drain_seconds: Seconds = Field(
        30.0, description="Time to finish running requests after SIGTERM."
    )

    allowed_hosts: Names = Field(
        (),
        description="Host names the server answers to, beside addresses and "
        "localhost; `*.example.org` allows subdomains.",
    )
    allowed_origins: Names = Field(
        (), description="Origins of other sites whose pages may use the API (CORS)."
    )
    trusted_proxies: Names = Field(
        (),
        description="Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed: "
        "addresses or networks, or `*`; empty believes none.",
    )
    frame_ancestors: Annotated[
        tuple[PageSource, ...], NoDecode, BeforeValidator(_split)
    ] = Field(
        (),
        description="Pages that may show this one in a frame: origins such as "
        "`https://hub.example.org` or `http://localhost:*`, or schemes such as "
        "`vscode-webview:`; empty forbids it.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level that is logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto",
        description="One JSON object a line, or lines for people: those on a terminal.",
    )
    otel_endpoint: str = Field(
        "", description="OTLP/HTTP endpoint for traces; empty sends none."
    )

    @property
    def database(self) -> str:
        """URL of the database."""
        return self.database_url or f"sqlite:///{self.data_folder / 'nvs.sqlite'}"

    def make_data_folder(self) -> None:
        """Make the data folder, for its owner only.

        Raises:
            ConfigError: If that is not possible.
        """
        try:
            self.data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"cannot make the data folder {self.data_folder}: {error.strerror}",
                remedy="Choose another with --data-folder or NVS_DATA_FOLDER.",
            ) from error

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's loopback."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def unknown_variables() -> list[str]:
    """Variables of the environment that look like settings and are none."""
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    return sorted(
        name
        for name in os.environ
        if name.startswith(PREFIX) and name not in known | CLIENT_VARIABLES
    )


def load_settings(**values: Any) -> Settings:
    """Settings from the environment, overridden by `values` that are not None.

    Raises:
        ConfigError: If one has a value that cannot work; names it and the reason.
    """
    try:
        return Settings(**{name: v for name, v in values.items() if v is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        if name not in Settings.model_fields:
            raise ConfigError(
                f"there is no setting {name!r}",
                remedy="`nvs serve --help` and docs/server.md list them.",
            ) from error
        raise ConfigError(
            f"{PREFIX}{name.upper()} is {first['input']!r}: {first['msg']}",
            remedy=f"It is: {Settings.model_fields[name].description}",
        ) from error
