"""How good a scene is for its own capture: views that were kept out, rendered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from nvs.errors import ConfigError
from nvs.scene.pictures import sheet, to_uint8
from nvs.scene.quality import Closeness, Measure, nearest_view
from nvs.scene.renderer import Renderer
from nvs.scene.scene import Scene
from nvs.scene.views import PosedViews, Views

MOST_SHOWN = 8
LEAST_GAIN_DB = 0.5
"""Less over the nearest photograph is no gain that anybody sees."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Comparison:
    """Renders of views that were kept out, beside what is there without a network."""

    weights: str
    """Name of the weights that rendered."""
    num_views: int
    """Views that were kept out."""
    render: Closeness
    """Of the renders to the photographs."""
    nearest: Closeness
    """Of the input photograph whose camera is nearest."""
    flat: Closeness
    """Of the mean colour of all inputs."""
    notes: tuple[str, ...]
    """What was left out and why, a line each."""
    picture: UInt8[np.ndarray, "height width 3"]
    """Photographs, renders, errors and nearest inputs, a row each."""

    @property
    def meaning(self) -> str:
        """What the numbers say of these weights, in a sentence."""
        gain = self.render.psnr_db - self.nearest.psnr_db
        if self.render.psnr_db < self.flat.psnr_db:
            return (
                f"{self.weights} does worse than one flat colour: these weights or "
                "this framing do not suit the capture"
            )
        if gain < LEAST_GAIN_DB:
            return (
                f"{self.weights} does no better than the nearest photograph: expect "
                "colours, not details"
            )
        words = f"{self.weights} comes {gain:.1f} dB closer than the nearest photograph"
        ours, theirs = self.render.ssim, self.nearest.ssim
        if ours is not None and theirs is not None and ours < theirs:
            words += ", which is more alike in structure: expect colours, not details"
        return words


def split(indices: Sequence[int], every: int) -> tuple[list[int], list[int]]:
    """Views to build from, and every n-th kept out, from the first on.

    Raises:
        ConfigError: If that leaves none to build from.
    """
    if every < 2 or len(indices) < 2:
        raise ConfigError(
            f"every {every} of {len(indices)} views cannot be kept out",
            remedy="Keep out every 2nd or more, such as 8, of at least two views.",
        )
    held_out = list(indices[::every])
    return [index for index in indices if index not in set(held_out)], held_out


def compare(
    renderer: Renderer,
    scene: Scene,
    inputs: Views,
    held_out: PosedViews,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Render the views that were kept out of a scene and measure them.

    Args:
        renderer: The weights that built the scene.
        scene: Built from the inputs.
        inputs: Its input views, in memory or on disk.
        held_out: Other views of the same capture, of the same size.
        progress: Called with (views rendered, views in all); may raise to cancel.
    """
    truth = held_out.image.permute(0, 2, 3, 1)
    frames: list[Tensor] = []
    for frame in renderer.render_iter(scene, held_out.camera):
        frames.append(frame.float().cpu())
        if progress is not None:
            progress(len(frames), len(held_out))
    renders = torch.stack(frames)
    nearest = nearest_view(held_out.camera.center, inputs.camera.center)
    closest = inputs[nearest].image.permute(0, 2, 3, 1)
    flat = _mean_colour(inputs).expand_as(truth)
    error = (renders - truth).abs().mean(-1, keepdim=True).expand_as(truth)
    rows = {
        "photograph, held out": truth,
        "render from its camera": renders,
        "absolute error": 1 - error,
        "nearest input": closest,
    }
    measure = Measure(scene.height, scene.width, renderer.device)
    return Comparison(
        weights=renderer.model_id,
        num_views=len(held_out),
        render=measure(renders, truth),
        nearest=measure(closest, truth),
        flat=measure(flat, truth),
        notes=tuple(measure.notes),
        picture=sheet(
            [(label, list(to_uint8(row[:MOST_SHOWN]))) for label, row in rows.items()]
        ),
    )


def _mean_colour(views: Views) -> Float[Tensor, "3"]:
    means = [image.mean(dim=(0, 2, 3)) for image in views.in_groups(1)]
    return torch.stack(means).mean(dim=0)
