"""The network: posed images in, images at other cameras out.

`forward` is the joint pass that training uses; `prefill` and `render` are the same
computation cut where the fast weights are known. Joint = prefill + render, but for
which tokens are made up where views keep different numbers (`nvs.model.shown`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from nvs.config import ModelConfig
from nvs.model.block import Block
from nvs.model.density_net import DensityNet
from nvs.model.fast_weight import FastWeights
from nvs.model.ray_point import Turns, ray_points, turns
from nvs.model.reprojection import blend
from nvs.model.schedule import inputs_then_all
from nvs.model.shown import by_colours, by_surfaces, kept, put_back, take
from nvs.model.tokens import num_channels, num_outputs, patches, unpatch

LINEAR_STD = 0.02
WHITE_LOGIT = 100.0
"""Of a pixel whose sigmoid is 1."""


class LaCTNetwork(nn.Module):
    """A LaCT novel view synthesis network (Sec. 4.1)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        area = config.patch_size**2
        self.embedding = nn.Linear(num_channels(config) * area, config.dim, bias=False)
        self.embedding_norm = nn.LayerNorm(config.dim, bias=False)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_blocks))
        self.output_norm = nn.LayerNorm(config.dim, bias=False)
        self.output = nn.Linear(config.dim, num_outputs(config) * area, bias=False)
        self.density_net = DensityNet() if config.has_density else None
        if not self.output.weight.is_meta:  # there drawing loads torch's compiler
            self.initialise()

    @property
    def layers(self) -> list[Block]:
        """The blocks, in order."""
        return cast("list[Block]", list(self.blocks))

    @torch.no_grad()
    def initialise(self) -> None:
        """Draw new weights: linears N(0, 0.02), residual outputs and fast weights."""
        residual_std = LINEAR_STD / math.sqrt(3 * self.config.num_blocks)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                residual = name.startswith("blocks.") and name.endswith(".output")
                nn.init.normal_(module.weight, std=residual_std if residual else 0.02)
                for bias in (p for p in module.parameters() if p.ndim == 1):
                    nn.init.zeros_(bias)
            elif isinstance(module, nn.ParameterList):
                for weight in module:
                    nn.init.normal_(weight, std=math.sqrt(2 / weight.shape[-2]))

    def set_newton_schulz_dtype(self, dtype: torch.dtype) -> None:
        """Precision of the orthogonalisation in every layer (bfloat16 as released)."""
        for block in self.layers:
            block.lact.newton_schulz_dtype = dtype

    def embed(
        self,
        posed: Float[Tensor, "batch view 9 height width"],
        image: Float[Tensor, "batch view 3 height width"] | None,
        reprojected: Float[Tensor, "batch view 6 height width"] | None = None,
    ) -> Float[Tensor, "batch view token dim"]:
        """Tokens of input views, or with `image=None` of cameras to render."""
        features = patches(posed, image, self.config, reprojected)
        return self.embedding_norm(self.embedding(features))

    def points(
        self,
        posed: Float[Tensor, "batch view 9 height width"],
        pivot: Float[Tensor, "batch 3"] | None,
        surface: Float[Tensor, "batch view 2 down across"] | None = None,
    ) -> Float[Tensor, "batch view token 3"] | None:
        """Points that turn the tokens of views; None in a network without positions.

        Args:
            posed: Rays of every pixel.
            pivot: For scene poses `ray_point.scene_pivot` of the inputs; the origin if
                absent, as object poses want it.
            surface: Where the views' rays are stopped (`density_grid.surfaces`) by what
                `density_net` says of the inputs, for networks that have one; absent
                where nothing is known.
        """
        if not self.config.has_positions:
            return None
        return ray_points(posed, pivot, self.config.patch_size, surface)

    def shown(
        self,
        pivot: Float[Tensor, "batch 3"] | None,
        surface: Float[Tensor, "batch view 2 down across"] | None,
        image: Float[Tensor, "batch view 3 height width"] | None = None,
    ) -> Bool[Tensor, "batch view rows columns"] | None:
        """Patches that show something, of input views or of cameras to render.

        None where that is not known, or the poses are of scenes: all of them may.
        """
        if surface is None or pivot is not None:
            return None
        if image is None:
            return by_surfaces(surface, self.config.patch_size)
        return by_colours(image, self.config.patch_size)

    def embed_inputs(
        self,
        posed: Float[Tensor, "batch view 9 height width"],
        image: Float[Tensor, "batch view 3 height width"],
        pivot: Float[Tensor, "batch 3"] | None = None,
        surface: Float[Tensor, "batch view 2 down across"] | None = None,
    ) -> tuple[Float[Tensor, "batch view token dim"], Tensor | None]:
        """Tokens of input views that show something, and their points."""
        x, points = self.embed(posed, image), self.points(posed, pivot, surface)
        return _kept(self.shown(pivot, surface, image), x, points)[:2]

    def turns(self, points: Float[Tensor, "batch view token 3"] | None) -> Turns | None:
        """Rotations of the tokens of views from what `points` gave."""
        if points is None:
            return None
        return turns(
            points.flatten(1, 2),
            head_dim=self.config.fast_head_dim,
            hidden_dim=self.config.fast_hidden_dim,
        )

    def decode(
        self,
        x: Float[Tensor, "batch view kept dim"],
        size: tuple[int, int],
        reprojected: Float[Tensor, "batch view 6 height width"] | None = None,
        numbers: Int[Tensor, "batch view kept"] | None = None,
    ) -> Float[Tensor, "batch view 3 height width"]:
        """Images in [0, 1] from the residual stream.

        Args:
            x: The tokens.
            size: Height and width of the images.
            reprojected: What is known of their pixels.
            numbers: Which tokens these are, if not all; the others are white.
        """
        height, width = size
        side = self.config.patch_size
        pixels = self.output(self.output_norm(x)).float()
        if numbers is not None:
            count = height * width // side**2
            pixels = put_back(pixels, numbers, count, fill=WHITE_LOGIT)
        pixels = unpatch(pixels, height=height, width=width, patch_size=side)
        image = torch.sigmoid(pixels[:, :, :3])
        if reprojected is None:
            return image
        return blend(image, pixels[:, :, 3:], reprojected)

    def forward(
        self,
        input_posed: Float[Tensor, "batch input 9 height width"],
        input_image: Float[Tensor, "batch input 3 height width"],
        target_posed: Float[Tensor, "batch target 9 height width"],
        pivot: Float[Tensor, "batch 3"] | None = None,
        surface: Float[Tensor, "batch view 2 down across"] | None = None,
        reprojected: Float[Tensor, "batch target 6 height width"] | None = None,
    ) -> Float[Tensor, "batch target 3 height width"]:
        """Input views and targets in one pass; only input views update.

        Args:
            input_posed: Rays of the input views.
            input_image: Their colours in [0, 1].
            target_posed: Rays of the cameras to be rendered.
            pivot: See `points`.
            surface: See `points`; of inputs and targets.
            reprojected: See `patches`; absent where nothing is known.
        """
        inputs = self.embed(input_posed, input_image)
        targets = self.embed(target_posed, None, reprojected)
        x = torch.cat([inputs, targets], dim=1)
        num_views = inputs.shape[1]
        posed = torch.cat([input_posed, target_posed], dim=1)
        points = self.points(posed, pivot, surface)
        shown: Tensor | None = None
        if surface is not None:
            of_inputs = self.shown(pivot, surface[:, :num_views], input_image)
            of_targets = self.shown(pivot, surface[:, num_views:])
            if of_inputs is not None and of_targets is not None:
                shown = torch.cat([of_inputs, of_targets], dim=1)
        x, points, numbers = _kept(shown, x, points)
        num_tokens = x.shape[2]
        schedule = inputs_then_all(num_views * num_tokens, x.shape[1] * num_tokens)
        turned = self.turns(points)
        for block in self.layers:
            x, _ = block(x, schedule, turned)
        numbers = None if numbers is None else numbers[:, num_views:]
        size = target_posed.shape[-2], target_posed.shape[-1]
        return self.decode(x[:, num_views:], size, reprojected, numbers)

    def prefill(
        self,
        posed: Float[Tensor, "batch view 9 height width"],
        image: Float[Tensor, "batch view 3 height width"],
        pivot: Float[Tensor, "batch 3"] | None = None,
        surface: Float[Tensor, "batch view 2 down across"] | None = None,
    ) -> tuple[FastWeights, ...]:
        """Fast weights of every block, all views at once and with gradients.

        `nvs.model.prefill.prefill_in_groups` gives the same with bounded memory.
        """
        x, points = self.embed_inputs(posed, image, pivot, surface)
        num_tokens = x.shape[1] * x.shape[2]
        schedule = inputs_then_all(num_tokens, num_tokens)
        turned = self.turns(points)
        scene: list[FastWeights] = []
        for block in self.layers:
            x, weights = block(x, schedule, turned)
            scene.append(weights)
        return tuple(scene)

    def render(
        self,
        scene: Sequence[FastWeights],
        posed: Float[Tensor, "batch view 9 height width"],
        pivot: Float[Tensor, "batch 3"] | None = None,
        surface: Float[Tensor, "batch view 2 down across"] | None = None,
        reprojected: Float[Tensor, "batch view 6 height width"] | None = None,
    ) -> Float[Tensor, "batch view 3 height width"]:
        """Images of cameras from the fast weights of a scene; see `forward`."""
        x = self.embed(posed, None, reprojected)
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        points = self.points(posed, pivot, surface)
        x, points, numbers = _kept(self.shown(pivot, surface), x, points)
        turned = self.turns(points)
        for block, weights in zip(self.layers, scene, strict=True):
            x = block.render(x, weights, turned)
        size = posed.shape[-2], posed.shape[-1]
        return self.decode(x, size, reprojected, numbers)


def _kept(
    shown: Bool[Tensor, "batch view rows columns"] | None,
    x: Float[Tensor, "batch view token dim"],
    points: Float[Tensor, "batch view token 3"] | None,
) -> tuple[Tensor, Tensor | None, Int[Tensor, "batch view kept"] | None]:
    """The tokens and points that show something, and their numbers; None: all."""
    if shown is None or points is None:
        return x, points, None
    numbers = kept(shown)
    return take(x, numbers), take(points, numbers), numbers
