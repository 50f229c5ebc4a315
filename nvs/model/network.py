"""The network: posed images in, images at other cameras out.

`forward` is the joint pass that training uses; `prefill` and `render` are the same
computation cut where the fast weights are known. Joint = prefill + render.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nvs.config import ModelConfig
from nvs.model.block import Block
from nvs.model.density_net import DensityNet
from nvs.model.fast_weight import FastWeights
from nvs.model.ray_point import Turns, ray_points, turns
from nvs.model.schedule import inputs_then_all
from nvs.model.tokens import NUM_CHANNELS, patches, unpatch

LINEAR_STD = 0.02


class LaCTNetwork(nn.Module):
    """A LaCT novel view synthesis network (Sec. 4.1)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        patch_area = config.patch_size**2
        self.embedding = nn.Linear(NUM_CHANNELS * patch_area, config.dim, bias=False)
        self.embedding_norm = nn.LayerNorm(config.dim, bias=False)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_blocks))
        self.output_norm = nn.LayerNorm(config.dim, bias=False)
        self.output = nn.Linear(config.dim, 3 * patch_area, bias=False)
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
    ) -> Float[Tensor, "batch view token dim"]:
        """Tokens of input views, or with `image=None` of cameras to render."""
        features = patches(posed, image, self.config.patch_size)
        return self.embedding_norm(self.embedding(features))

    def points(
        self,
        posed: Float[Tensor, "batch view 9 height width"],
        pivot: Float[Tensor, "batch 3"] | None,
        density: Float[Tensor, "batch cell cell cell"] | None = None,
    ) -> Float[Tensor, "batch view token 3"] | None:
        """Points that turn the tokens of views; None in a network without positions.

        Args:
            posed: Rays of every pixel.
            pivot: For scene poses `ray_point.scene_pivot` of the inputs; the origin if
                absent, as object poses want it.
            density: What `density_net` says of the inputs, for networks that have one:
                empty or absent where nothing is known.
        """
        if not self.config.has_positions:
            return None
        return ray_points(posed, pivot, self.config.patch_size, density)

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
        self, x: Float[Tensor, "batch view token dim"], *, height: int, width: int
    ) -> Float[Tensor, "batch view 3 height width"]:
        """Images in [0, 1] from the residual stream."""
        colour = torch.sigmoid(self.output(self.output_norm(x)).float())
        return unpatch(
            colour, height=height, width=width, patch_size=self.config.patch_size
        )

    def forward(
        self,
        input_posed: Float[Tensor, "batch input 9 height width"],
        input_image: Float[Tensor, "batch input 3 height width"],
        target_posed: Float[Tensor, "batch target 9 height width"],
        pivot: Float[Tensor, "batch 3"] | None = None,
        density: Float[Tensor, "batch cell cell cell"] | None = None,
    ) -> Float[Tensor, "batch target 3 height width"]:
        """Input views and targets in one pass; only input views update.

        Args:
            input_posed: Rays of the input views.
            input_image: Their colours in [0, 1].
            target_posed: Rays of the cameras to be rendered.
            pivot: See `points`.
            density: See `points`.
        """
        inputs = self.embed(input_posed, input_image)
        x = torch.cat([inputs, self.embed(target_posed, None)], dim=1)
        num_views, num_tokens = inputs.shape[1:3]
        schedule = inputs_then_all(num_views * num_tokens, x.shape[1] * num_tokens)
        turned = self.turns(
            self.points(torch.cat([input_posed, target_posed], dim=1), pivot, density)
        )
        for block in self.layers:
            x, _ = block(x, schedule, turned)
        height, width = target_posed.shape[-2:]
        return self.decode(x[:, num_views:], height=height, width=width)

    def prefill(
        self,
        posed: Float[Tensor, "batch view 9 height width"],
        image: Float[Tensor, "batch view 3 height width"],
        pivot: Float[Tensor, "batch 3"] | None = None,
        density: Float[Tensor, "batch cell cell cell"] | None = None,
    ) -> tuple[FastWeights, ...]:
        """Fast weights of every block, all views at once and with gradients.

        `nvs.model.prefill.prefill_in_groups` gives the same with bounded memory.
        """
        x = self.embed(posed, image)
        num_tokens = x.shape[1] * x.shape[2]
        schedule = inputs_then_all(num_tokens, num_tokens)
        turned = self.turns(self.points(posed, pivot, density))
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
        density: Float[Tensor, "batch cell cell cell"] | None = None,
    ) -> Float[Tensor, "batch view 3 height width"]:
        """Images of cameras from the fast weights of a scene."""
        x = self.embed(posed, None)
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        turned = self.turns(self.points(posed, pivot, density))
        for block, weights in zip(self.layers, scene, strict=True):
            x = block.render(x, weights, turned)
        height, width = posed.shape[-2:]
        return self.decode(x, height=height, width=width)
