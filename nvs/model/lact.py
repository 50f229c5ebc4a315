"""The LaCT layer: one chunk of tokens writes fast weights, queries read them.

The layer owns the projections and the learned initial fast weights; what is done with
them is `nvs.model.fast_weight`, in the order that a `Schedule` says. Prefill in groups
and rendering use the pieces (`write`, `direction`, `step`, `read`), training `forward`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from nvs.config import ModelConfig
from nvs.model import fast_weight
from nvs.model.fast_weight import FastWeights
from nvs.model.ray_point import Turns
from nvs.model.schedule import Schedule

UNIT_EPSILON = 1e-5


class LaCTLayer(nn.Module):
    """Large-chunk test-time training over a set of tokens (Sec. 3.1, 3.2)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.newton_schulz_dtype = torch.bfloat16
        heads, dim = config.num_fast_heads, config.fast_head_dim
        hidden, matrices = config.fast_hidden_dim, config.num_fast_matrices
        self.qkv = nn.Linear(config.dim, 3 * config.dim, bias=False)
        self.learning_rate = nn.Linear(config.dim, matrices * heads)
        if config.update_rule == "momentum":
            self.momentum_decay = nn.Linear(config.dim, heads)
        shapes = (
            [(dim, hidden), (hidden, dim), (dim, hidden)]
            if config.fast_network == "swiglu"
            else [(dim, dim)]
        )
        self.initial = nn.ParameterList(
            nn.Parameter(torch.empty(heads, *shape)) for shape in shapes
        )
        self.read_norm = nn.RMSNorm(dim, eps=1e-5)
        self.output = nn.Linear(config.dim, config.dim, bias=False)
        self.rate_offset = math.log(math.expm1(config.base_learning_rate))

    def initial_weights(self, num_batches: int) -> FastWeights:
        """Fast weights before any update, (batch, head, ·, ·)."""
        return tuple(w.expand(num_batches, *w.shape) for w in self.initial)

    def initial_norms(self) -> FastWeights:
        """Column norms that every update preserves, (head, 1, ·)."""
        return fast_weight.column_norms(tuple(self.initial))

    def write(
        self,
        weights: FastWeights,
        x: Float[Tensor, "batch token dim"],
        turns: Turns | None = None,
    ) -> FastWeights:
        """What these tokens add to the gradient of the fast weights."""
        k, v = self._project(x, first=1, count=2)
        k, rates = _unit(k), self._rates(x)
        if turns is None:
            return fast_weight.gradient(weights, k, v, rates)
        k = turns.head.apply(k)
        return fast_weight.gradient(weights, k, v, rates, turns.hidden)

    def direction(self, gradient: FastWeights) -> FastWeights:
        """By what the gradient of a whole chunk, or some of it, moves fast weights."""
        return fast_weight.direction(
            gradient,
            rule=self.config.update_rule,
            newton_schulz_steps=self.config.newton_schulz_steps,
            newton_schulz_dtype=self.newton_schulz_dtype,
        )

    def step(self, weights: FastWeights, direction: FastWeights) -> FastWeights:
        """Fast weights after they have been moved."""
        return fast_weight.step(weights, direction, self.initial_norms())

    def read(
        self,
        weights: FastWeights,
        x: Float[Tensor, "batch token dim"],
        turns: Turns | None = None,
    ) -> Float[Tensor, "batch token dim"]:
        """Output of the layer for these tokens; needs no keys, values or rates."""
        (q,) = self._project(x, first=0, count=1)
        q = _unit(q)
        if turns is None:
            out = fast_weight.apply(weights, q)
        else:
            out = fast_weight.apply(weights, turns.head.apply(q), turns.hidden)
        out = self.read_norm(out.float())
        return self.output(rearrange(out, "b h t d -> b t (h d)"))

    def forward(
        self,
        x: Float[Tensor, "batch token dim"],
        schedule: Schedule,
        turns: Turns | None = None,
    ) -> tuple[Float[Tensor, "batch token dim"], FastWeights]:
        """Run a schedule, which applies to every token once, in order.

        Args:
            x: Tokens.
            schedule: Which of them update and which are applied to.
            turns: Rotations of all of them, if the network has positions.

        Returns:
            The layer's output and the fast weights after the last operation.
        """
        weights = self.initial_weights(x.shape[0])
        running: FastWeights | None = None
        outputs: list[Tensor] = []
        for operation in schedule:
            start, end = operation.start, operation.end
            tokens = x[:, start:end]
            turned = None if turns is None else turns.tokens(start, end)
            if operation.update:
                gradient = self.write(weights, tokens, turned)
                if running is not None:
                    decay = torch.sigmoid(self.momentum_decay(tokens)).mean(1)
                    gradient = fast_weight.momentum(
                        running, gradient, decay[:, :, None, None]
                    )
                if self.config.update_rule == "momentum":
                    running = gradient
                weights = self.step(weights, self.direction(gradient))
            if operation.apply:
                outputs.append(self.read(weights, tokens, turned))
        return torch.cat(outputs, dim=1), weights

    def _project(
        self, x: Float[Tensor, "batch token dim"], *, first: int, count: int
    ) -> Float[Tensor, "count batch head token head_dim"]:
        dim = self.output.in_features  # of the heads that this layer has
        weight = self.qkv.weight[first * dim : (first + count) * dim]
        return rearrange(
            F.silu(F.linear(x, weight)),
            "b t (n h d) -> n b h t d",
            n=count,
            d=self.config.fast_head_dim,
        )

    def _rates(
        self, x: Float[Tensor, "batch token dim"]
    ) -> Float[Tensor, "matrix batch head token 1"]:
        with torch.autocast(x.device.type, enabled=False):
            rates = F.softplus(self.learning_rate(x.float()) + self.rate_offset)
        return rearrange(
            rates, "b t (n h one) -> n b h t one", n=len(self.initial), one=1
        )


def _unit(x: Float[Tensor, "... dim"]) -> Float[Tensor, "... dim"]:
    """Vectors divided by their L2 norm (+1e-5), in their own dtype."""
    return x / (x.norm(dim=-1, keepdim=True) + UNIT_EPSILON).to(x.dtype)
