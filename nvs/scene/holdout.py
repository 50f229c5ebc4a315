"""How good a scene is for its own capture: views that were kept out, rendered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from nvs.errors import ConfigError
from nvs.scene.pictures import sheet, to_uint8
from nvs.scene.quality import mean_psnr_db, nearest_view
from nvs.scene.renderer import Renderer
from nvs.scene.scene import Scene
from nvs.scene.views import PosedViews

MOST_SHOWN = 8


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Comparison:
    """Renders of views that were kept out, beside what is there without a network."""

    num_views: int
    """Views that were kept out."""
    psnr_db: float
    """Of the renders against the photographs, mean over views."""
    nearest_psnr_db: float
    """Of the input photograph whose camera is nearest."""
    flat_psnr_db: float
    """Of the mean colour of all inputs."""
    picture: UInt8[np.ndarray, "height width 3"]
    """Photographs, renders, errors and nearest inputs, a row each."""

    @property
    def meaning(self) -> str:
        """What the numbers say, in a sentence."""
        if self.psnr_db < self.flat_psnr_db:
            return (
                "worse than one flat colour: these weights or this framing do not suit "
                "the capture"
            )
        gain = self.psnr_db - self.nearest_psnr_db
        if gain <= 0:
            return "no better than showing the nearest photograph"
        return f"{gain:.1f} dB closer than the nearest photograph"


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
    renderer: Renderer, scene: Scene, inputs: PosedViews, held_out: PosedViews
) -> Comparison:
    """Render the views that were kept out of a scene and measure them.

    Args:
        renderer: The weights that built the scene.
        scene: Built from the inputs.
        inputs: Its input views.
        held_out: Other views of the same capture, of the same size.
    """
    truth = held_out.image.permute(0, 2, 3, 1)
    renders = renderer.render(scene, held_out.camera).cpu()
    nearest = nearest_view(held_out.camera.center, inputs.camera.center)
    closest = inputs.image[nearest].permute(0, 2, 3, 1)
    flat = inputs.image.mean(dim=(0, 2, 3)).expand_as(truth)
    error = (renders - truth).abs().mean(-1, keepdim=True).expand_as(truth)
    rows = {
        "photograph, held out": truth,
        "render from its camera": renders,
        "absolute error": 1 - error,
        "nearest input": closest,
    }
    return Comparison(
        num_views=len(held_out),
        psnr_db=mean_psnr_db(renders, truth),
        nearest_psnr_db=mean_psnr_db(closest, truth),
        flat_psnr_db=mean_psnr_db(flat, truth),
        picture=sheet(
            [(label, list(to_uint8(row[:MOST_SHOWN]))) for label, row in rows.items()]
        ),
    )
