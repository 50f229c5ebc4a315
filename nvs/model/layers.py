"""The two layers that every transformer has: window attention and the MLP."""

from __future__ import annotations

import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from nvs.config import ModelConfig
from nvs.model.attention import attend


class WindowAttention(nn.Module):
    """Bidirectional attention among the tokens of one image (Sec. 3.3).

    Queries and keys are RMS-normalised per head.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.head_dim = config.attention_head_dim
        self.qkv = nn.Linear(config.dim, 3 * config.dim, bias=False)
        self.query_norm = nn.RMSNorm(self.head_dim)
        self.key_norm = nn.RMSNorm(self.head_dim)
        self.output = nn.Linear(config.dim, config.dim, bias=False)

    def forward(
        self, x: Float[Tensor, "batch view token dim"]
    ) -> Float[Tensor, "batch view token dim"]:
        """Attend inside each view."""
        q, k, v = rearrange(
            self.qkv(x), "b v t (n h d) -> n (b v) h t d", n=3, d=self.head_dim
        )
        q = self.query_norm(q.float()).to(v.dtype)
        k = self.key_norm(k.float()).to(v.dtype)
        attended = attend(q, k, v)
        return self.output(
            rearrange(attended, "(b v) h t d -> b v t (h d)", b=x.shape[0])
        )


class MLP(nn.Module):
    """Two linear layers around an exact GELU."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        hidden = config.mlp_hidden_multiplier * config.dim
        self.expand = nn.Linear(config.dim, hidden, bias=False)
        self.output = nn.Linear(hidden, config.dim, bias=False)

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Transform each token by itself."""
        return self.output(F.gelu(self.expand(x)))
