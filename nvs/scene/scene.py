"""A scene: the fast weights that a set of posed views wrote, and where they belong.

A scene is a value: frozen, self-describing, savable. Its file is one safetensors file
with the fast weights of every block (`blocks.{i}.w{j}`), the input cameras, thumbnails
of the inputs and JSON metadata, under a digest of it all.
"""

from __future__ import annotations

import itertools
import os.path
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Float16, UInt8
from torch import Tensor

import nvs
from nvs.cameras import Camera, PoseNormalisation
from nvs.cameras.aggregate import common_up
from nvs.cameras.json_record import Record
from nvs.errors import CameraError, SceneFileError, about
from nvs.model import FastWeights
from nvs.model.density_grid import NUM_CELLS
from nvs.model.weights import REGISTRY, Weights, load_weights, local_path
from nvs.scene.notebook import card
from nvs.scene.upright import WORLD_UP
from nvs.scene.view import View, open_view
from nvs.tensor_file import read_tensors, write_tensors

FORMAT = "lact-nvs scene"
VERSION = 1
ORIGIN = (0.0, 0.0, 0.0)
"""The pivot of scene files that say none: their networks have no positions."""
BESIDE = ("density", "photograph", "distance")
"""Tensors that scenes of some networks have beside fast weights."""
REMEDY = "Copy the scene again, or build it again from its images."


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scene:
    """Fast weights of every block, with all that is needed to render from them."""

    fast_weights: tuple[FastWeights, ...]
    """Of each block: matrices of (head, ·, ·)."""
    normalisation: PoseNormalisation
    """From the user's world to the space the network works in."""
    input_camera: Camera
    """Cameras of the inputs, in the user's world, at the scene's resolution."""
    input_names: tuple[str, ...]
    """What each input was called."""
    thumbnail: UInt8[Tensor, "view thumb_height thumb_width 3"]
    """Small RGB pictures of the inputs."""
    model_id: str
    """Name of the weights that built it."""
    model_digest: str
    """Digest of those weights; rendering needs the same ones."""
    pivot: Float[Tensor, "3"] = field(default_factory=lambda: torch.tensor(ORIGIN))
    """The point in the network's space that positions inside the fast weights are
    relative to (`nvs.model.ray_point`); the origin for object poses."""
    density: Float16[Tensor, "cell cell cell"] | None = None
    """Where the inputs show surfaces, for networks that turn by it
    (`nvs.model.density_grid`)."""
    photograph: UInt8[Tensor, "view 3 height width"] | None = None
    """The inputs, for networks that reproject them (`nvs.model.reprojection`)."""
    distance: Float16[Tensor, "view down across"] | None = None
    """How far along the rays of the inputs their surfaces are; infinite where there is
    none."""
    up: tuple[float, float, float] = WORLD_UP
    """Unit vector that is up in the user's world (`nvs.scene.framing`)."""
    weights_hint: str | None = None
    """Where they lay when it was built, if they were a file or an exported folder."""
    precision: str | None = None
    """The precision it was built with (`nvs.scene.precision`); None if unknown."""
    created_with: str = f"lact-nvs {nvs.__version__}, torch {torch.__version__}"
    """Versions of this package and of torch when it was built."""

    def __repr__(self) -> str:
        views = len(self.input_names)
        return f"Scene({views} views, {self.height}×{self.width}, {self.model_id})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        dtype = str(self.dtype).removeprefix("torch.")
        facts = {
            "views": str(len(self.input_names)),
            "height × width": f"{self.height}×{self.width}",
            "weights": f"{self.model_id} ({self.model_digest[:12]}…)",
            "size": f"{self.num_bytes / 2**20:.1f} MiB, {dtype}, {self.device}",
            "framing": self.normalisation.kind,
            "up": " ".join(f"{round(value, 2) + 0.0:g}" for value in self.up),
            "built by": self.created_with,
        }
        thumbnail = self.thumbnail.numpy()
        return card("Scene", facts, self.input_names, thumbnail.__getitem__)

    @property
    def height(self) -> int:
        """Height of the inputs in pixels, as the network saw them."""
        return self.input_camera.height

    @property
    def width(self) -> int:
        """Width of the inputs in pixels, as the network saw them."""
        return self.input_camera.width

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the fast weights."""
        return self.fast_weights[0][0].dtype

    @property
    def device(self) -> torch.device:
        """Where the fast weights are."""
        return self.fast_weights[0][0].device

    @property
    def fast_weight_bytes(self) -> int:
        """Size of the fast weights."""
        return sum(w.nbytes for block in self.fast_weights for w in block)

    @property
    def num_bytes(self) -> int:
        """Size of all that is rendered from."""
        return self.fast_weight_bytes + sum(t.nbytes for t in self._beside().values())

    def to(
        self,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        copy: bool = False,
    ) -> Scene:
        """Move what is rendered from, and cast the fast weights.

        Args:
            device: Where to; where it is if absent.
            dtype: Of the fast weights; theirs if absent.
            copy: Whether to share no memory, not even where nothing changes.
        """
        return self.map(
            lambda weight: weight.to(device=device, dtype=dtype, copy=copy),
            lambda tensor: tensor.to(device=device, copy=copy),
        )

    def map(
        self, weight: Callable[[Tensor], Tensor], beside: Callable[[Tensor], Tensor]
    ) -> Scene:
        """With fast weights changed, and what is rendered from beside them."""
        others = {name: beside(tensor) for name, tensor in self._beside().items()}
        weights = tuple(tuple(map(weight, block)) for block in self.fast_weights)
        return replace(self, fast_weights=weights, **others)

    def view(self, *, name: str = "scene", weights: str | None = None) -> View:
        """Open the web page on it: in the browser, or in a notebook as the result.

        `nvs serve` runs as a process of its own, on a free port of this machine, until
        the view is closed or Python ends.

        Args:
            name: What the page calls it.
            weights: Name or path of the weights that built it; those that it remembers
                if absent.

        Raises:
            MissingExtraError: If the extra `server` is not installed.
            SceneFileError, WeightsUnavailableError: If its weights are not found.
            ConfigError: If the service does not start; says why.
            ServiceError: If the weights are not those that built it.
        """
        if weights is None:
            found = built_with(self)
            weights = str(found.path or found.name)
        return open_view(self.save, name=name, weights=weights)

    def save(self, path: Path | str) -> str:
        """Write the scene file atomically and return its content digest.

        Raises:
            OutputError: If it cannot be written; an older file then stays as it was.
        """
        tensors = {
            f"blocks.{index}.w{number}": weight
            for index, block in enumerate(self.fast_weights)
            for number, weight in enumerate(block)
        }
        tensors["input.world_from_camera"] = self.input_camera.world_from_camera
        tensors["input.intrinsics"] = self.input_camera.intrinsics
        tensors["input.thumbnail"] = self.thumbnail
        tensors |= self._beside()
        return write_tensors(path, tensors, self._metadata())

    @staticmethod
    def load(path: Path | str) -> Scene:
        """Memory-map a scene file and verify its digest.

        Raises:
            SceneFileError: If it is missing, truncated, altered, not a scene, written
                by a later version, or holds something else than a scene's parts.
        """
        tensors, metadata, digest = read_tensors(
            path, error=SceneFileError, remedy=REMEDY
        )
        with about(Path(path)):
            if metadata.get("format") != FORMAT or digest is None:
                raise SceneFileError(
                    "not a scene file", remedy="Give a file that `nvs build` wrote."
                )
            record = Record(metadata, "metadata: ")
            try:
                if (version := record.size("version")) > VERSION:
                    raise SceneFileError(
                        f"it has scene format version {version}, "
                        f"this release reads up to {VERSION}",
                        remedy="Upgrade lact-nvs.",
                    )
                return _from_parts(_Parts(tensors), record)
            except CameraError as error:
                raise SceneFileError(error.problem, remedy=REMEDY) from error

    def _beside(self) -> dict[str, Tensor]:
        """What is rendered from beside the fast weights, by its name."""
        parts = {name: getattr(self, name) for name in BESIDE}
        return {name: tensor for name, tensor in parts.items() if tensor is not None}

    def _metadata(self) -> dict[str, Any]:
        known = {"weights_hint": self.weights_hint, "precision": self.precision}
        return {key: text for key, text in known.items() if text is not None} | {
            "format": FORMAT,
            "version": VERSION,
            "model_id": self.model_id,
            "model_digest": self.model_digest,
            "created_with": self.created_with,
            "height": self.height,
            "width": self.width,
            "normalisation": self.normalisation.to_json(),
            "pivot": self.pivot.tolist(),
            "up": list(self.up),
            "input_names": list(self.input_names),
        }


def built_with(scene: Scene) -> Weights:
    """The weights that built a scene: where it remembers them, or by their name.

    Raises:
        SceneFileError: If they are not there any more, or others are in their place.
        WeightsUnavailableError: If they have a registered name and cannot be fetched.
        CheckpointError: If they are damaged.
    """
    hint = scene.weights_hint
    candidates: list[str] = []
    seen: list[str] = []
    if hint is not None and os.path.exists(hint) and local_path(hint) is not None:
        candidates.append(hint)
    elif hint is not None:
        seen.append(f"there are no weights at {hint} any more")
    if scene.model_id in REGISTRY:
        candidates.append(scene.model_id)
    for candidate in candidates:
        weights = load_weights(candidate)
        digest = weights.checkpoint.digest
        if digest == scene.model_digest:
            return weights
        seen.append(f"{candidate} has another digest ({digest[:12]}…)")
    raise SceneFileError(
        f"the scene was built with {scene.model_id} ({scene.model_digest[:12]}…), but "
        f"{' and '.join(seen) or 'its file does not say where they are'}",
        remedy="Say with --weights where those weights are now, or build it again.",
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """The tensors of a scene file, each checked when it is taken."""

    tensors: Mapping[str, Tensor]

    def take(self, name: str, *shape: int | None, dtype: torch.dtype | None) -> Tensor:
        """A tensor with sides as given, None for any length.

        Args:
            name: Which.
            *shape: Its sides.
            dtype: Its type; any of floating point if None.

        Raises:
            SceneFileError: If it is not there or is another.
        """
        tensor = self.tensors.get(name)
        if tensor is None:
            raise SceneFileError(f"a part of a scene is missing: {name}", remedy=REMEDY)
        is_shape = tensor.ndim == len(shape) and all(
            wanted in (None, side)
            for wanted, side in zip(shape, tensor.shape, strict=True)
        )
        is_kind = dtype == tensor.dtype if dtype else tensor.is_floating_point()
        if not (is_shape and is_kind):
            raise SceneFileError(
                f"{name} is {tensor.dtype} of shape {tuple(tensor.shape)}",
                remedy=REMEDY,
            )
        return tensor

    def beside(self, camera: Camera) -> dict[str, Tensor]:
        """What is rendered from beside the fast weights."""
        views = len(camera)
        sides = {
            "density": ((NUM_CELLS,) * 3, torch.float16),
            "photograph": ((views, 3, camera.height, camera.width), torch.uint8),
            "distance": ((views, None, None), torch.float16),
        }
        taken = {
            name: self.take(name, *shape, dtype=dtype)
            for name, (shape, dtype) in sides.items()
            if name in self.tensors
        }
        if "density" in taken and not taken["density"].any():
            del taken["density"]  # how older files say that there is none
        if ("photograph" in taken) != ("distance" in taken) or any(
            0 in tensor.shape for tensor in taken.values()
        ):
            raise SceneFileError(
                "its photographs and distances do not belong together", remedy=REMEDY
            )
        return taken

    def fast_weights(self) -> tuple[FastWeights, ...]:
        """The matrices of every block, of as many as the first has."""
        numbers = itertools.takewhile(
            lambda number: f"blocks.0.w{number}" in self.tensors, itertools.count()
        )
        matrices = [f"w{number}" for number in numbers] or ["w0"]
        names = {name for name in self.tensors if name.startswith("blocks.")}
        blocks = [
            [f"blocks.{index}.{matrix}" for matrix in matrices]
            for index in range(max(1, len(names) // len(matrices)))
        ]
        for name in names - {name for block in blocks for name in block}:
            raise SceneFileError(
                f"{name} belongs to no block of a scene", remedy=REMEDY
            )
        return tuple(
            tuple(self.take(name, None, None, None, dtype=None) for name in block)
            for block in blocks
        )


def _from_parts(parts: _Parts, record: Record) -> Scene:
    pivot = record.numbers("pivot", 3) if "pivot" in record.values else ORIGIN
    hint, precision = (
        record.text(key) if key in record.values else None
        for key in ("weights_hint", "precision")
    )
    names = record.texts("input_names")
    normalisation = PoseNormalisation.from_json(record.mapping("normalisation"))
    camera = Camera(
        world_from_camera=parts.take(
            "input.world_from_camera", len(names), 4, 4, dtype=None
        ),
        intrinsics=parts.take("input.intrinsics", len(names), 4, dtype=None),
        height=record.size("height"),
        width=record.size("width"),
    )
    return Scene(
        fast_weights=parts.fast_weights(),
        normalisation=normalisation,
        pivot=torch.tensor(pivot, dtype=torch.float32),
        **parts.beside(camera),
        input_camera=camera,
        input_names=names,
        thumbnail=parts.take(
            "input.thumbnail", len(names), None, None, 3, dtype=torch.uint8
        ),
        model_id=record.text("model_id"),
        model_digest=record.text("model_digest"),
        up=_up(record, normalisation, camera),
        weights_hint=hint,
        precision=precision,
        created_with=record.text("created_with"),
    )


def _up(
    record: Record, normalisation: PoseNormalisation, camera: Camera
) -> tuple[float, float, float]:
    """What is up; of files that do not say, what their framing took for it."""
    if "up" in record.values:
        axis = torch.tensor(record.numbers("up", 3), dtype=torch.float64)
    elif normalisation.kind == "mean_camera":
        axis = common_up(camera)
    else:
        axis = normalisation.world_from_model[:3, 2]
    x, y, z = (axis / axis.norm()).tolist()
    return x, y, z
