"""One block: window attention, LaCT layer and MLP, each pre-normed and residual."""

from __future__ import annotations

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from nvs.config import ModelConfig
from nvs.model.fast_weight import FastWeights
from nvs.model.lact import LaCTLayer
from nvs.model.layers import MLP, WindowAttention
from nvs.model.ray_point import Turns
from nvs.model.schedule import Schedule


class Block(nn.Module):
    """A layer of the network (Fig. 2)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.dim, bias=False)
        self.attention = WindowAttention(config)
        self.lact_norm = nn.LayerNorm(config.dim, bias=False)
        self.lact = LaCTLayer(config)
        self.mlp_norm = nn.LayerNorm(config.dim, bias=False)
        self.mlp = MLP(config)

    def forward(
        self,
        x: Float[Tensor, "batch view token dim"],
        schedule: Schedule,
        turns: Turns | None = None,
    ) -> tuple[Float[Tensor, "batch view token dim"], FastWeights]:
        """All views through the block together.

        Returns:
            The residual stream and the fast weights after the schedule.
        """
        x = self.attend(x)
        tokens = rearrange(x, "b v t d -> b (v t) d")
        update, weights = self.lact(self.lact_norm(tokens), schedule, turns)
        x = x + rearrange(update, "b (v t) d -> b v t d", v=x.shape[1])
        return self.transform(x), weights

    def render(
        self,
        x: Float[Tensor, "batch view token dim"],
        weights: FastWeights,
        turns: Turns | None = None,
    ) -> Float[Tensor, "batch view token dim"]:
        """Views through the block with fast weights that are given."""
        return self.finish(self.attend(x), weights, turns)

    def attend(
        self, x: Float[Tensor, "batch view token dim"]
    ) -> Float[Tensor, "batch view token dim"]:
        """The window-attention residual layer."""
        return x + self.attention(self.attention_norm(x))

    def write(
        self,
        x: Float[Tensor, "batch view token dim"],
        weights: FastWeights,
        turns: Turns | None = None,
    ) -> FastWeights:
        """What these views add to the gradient of the fast weights."""
        tokens = rearrange(x, "b v t d -> b (v t) d")
        return self.lact.write(weights, self.lact_norm(tokens), turns)

    def finish(
        self,
        x: Float[Tensor, "batch view token dim"],
        weights: FastWeights,
        turns: Turns | None = None,
    ) -> Float[Tensor, "batch view token dim"]:
        """All that follows attention, with fast weights that are given."""
        return self.transform(self.read(x, weights, turns))

    def read(
        self,
        x: Float[Tensor, "batch view token dim"],
        weights: FastWeights,
        turns: Turns | None = None,
    ) -> Float[Tensor, "batch view token dim"]:
        """The LaCT residual layer with fast weights that are given."""
        tokens = rearrange(x, "b v t d -> b (v t) d")
        update = self.lact.read(weights, self.lact_norm(tokens), turns)
        return x + rearrange(update, "b (v t) d -> b v t d", v=x.shape[1])

    def transform(
        self, x: Float[Tensor, "batch view token dim"]
    ) -> Float[Tensor, "batch view token dim"]:
        """The MLP residual layer."""
        return x + self.mlp(self.mlp_norm(x))
