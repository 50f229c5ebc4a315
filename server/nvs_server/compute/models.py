"""The weights that a worker serves."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from nvs.api.system import Model
from nvs.api.values import MAX_SIDE_PX
from nvs.errors import ConfigError, SceneFileError
from nvs.scene import Renderer, Scene
from nvs_server.compute.orders import FastWeightShapes
from nvs_server.settings import ComputeSettings

STORED_ITEMSIZE = 2
"""Bytes of a fast weight in a scene file, in bfloat16 as `nvs build` writes them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """Weights on the device, and what is said of them."""

    renderer: Renderer
    info: Model
    shapes: FastWeightShapes

    def scene_bytes(self, file_bytes: int) -> int:
        """What a scene takes in the precision of rendering, of its file's size.

        All in the file but the fast weights is taken for what is kept beside them.
        """
        count = sum(torch.Size(shape).numel() for shape in self.shapes.matrices)
        count *= self.shapes.num_blocks
        beside = max(0, file_bytes - count * STORED_ITEMSIZE)
        return count * self.renderer.precision.compute.itemsize + beside

    def check(self, scene: Scene) -> Scene:
        """Return a scene if these weights built it.

        Raises:
            SceneFileError: If other weights did, or it does not fit them.
        """
        if scene.model_digest != self.info.digest:
            raise SceneFileError(
                f"the scene was built with other weights than {self.info.id}",
                remedy="Build it again.",
            )
        found = {tuple(tuple(w.shape) for w in block) for block in scene.fast_weights}
        if (
            len(scene.fast_weights) != self.shapes.num_blocks
            or found != {self.shapes.matrices}
            or not scene.dtype.is_floating_point
        ):
            raise SceneFileError(
                f"the fast weights of the scene do not fit {self.info.id}",
                remedy="Build it again.",
            )
        return scene


Models = dict[str, Served]


def load_models(settings: ComputeSettings, device: str | None) -> Models:
    """The models by id, the default first.

    Args:
        settings: Which, and in which precision.
        device: Where; the first CUDA device, or the CPU, if absent.

    Raises:
        WeightsUnavailableError: If weights cannot be found or fetched.
        CheckpointError: If they are damaged.
        ConfigError: If the device or the precision does not exist here.
    """
    models: Models = {}
    for name in settings.weights:
        renderer = Renderer.from_weights(
            name,
            device=device,
            precision=settings.precision,
            compile=settings.compile,
        )
        if renderer.compiled is not None:
            renderer.compiled.begin()
        if renderer.model_id in models:
            raise ConfigError(
                f"weights {name!r}: there are others called {renderer.model_id}",
                remedy="Name each weights once; rename one of the files.",
            )
        models[renderer.model_id] = _served(
            renderer, is_default=not models, max_views=settings.max_views
        )
    return models


def find_model(models: Models, weights: str) -> Served:
    """The model of an id.

    Raises:
        ConfigError: If it is not served.
    """
    if weights not in models:
        raise ConfigError(
            f"the weights {weights!r} are not served here",
            remedy=f"Use {' or '.join(models)}.",
        )
    return models[weights]


def _served(renderer: Renderer, *, is_default: bool, max_views: int) -> Served:
    num_parameters = sum(p.numel() for p in renderer.network.parameters())
    height, width = renderer.trained_on.size or (None, None)
    trained = f", trained at {height}×{width}" if height else ""
    info = Model(
        id=renderer.model_id,
        is_default=is_default,
        poses=renderer.poses,
        patch_size=renderer.config.patch_size,
        num_parameters=num_parameters,
        digest=renderer.model_digest,
        trained_height=height,
        trained_width=width,
        max_height=MAX_SIDE_PX,
        max_width=MAX_SIDE_PX,
        max_views=max_views,
        precision=renderer.precision.name,
        description=f"{renderer.poses} poses{trained}, "
        f"{num_parameters / 1e6:.1f} million parameters",
    )
    layers = renderer.network.layers
    shapes = FastWeightShapes(
        num_blocks=len(layers),
        matrices=tuple(tuple(w.shape) for w in layers[0].lact.initial),
    )
    return Served(renderer=renderer, info=info, shapes=shapes)
