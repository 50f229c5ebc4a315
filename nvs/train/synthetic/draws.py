"""Random numbers that depend on the seed and the scene alone, on the CPU."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nvs.cameras.se3 import so3_about

_ORDERS = torch.tensor([[0, 1, 2], [1, 2, 0], [2, 0, 1]])
CYCLES = torch.eye(3, dtype=torch.float64)[_ORDERS]
"""The three cyclic permutations of the axes, as matrices."""
_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def mix(*words: int) -> int:
    """One well-stirred 63-bit seed from several integers (SplitMix64's finaliser)."""
    state = 0
    for word in words:
        state = (state + word + _GOLDEN) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state >> 1


class Draws:
    """One generator a scene; every call draws the same shape from each of them.

    Scene `index` of seed `seed` sees the same numbers whatever the batch around it.

    Args:
        seed: Seed of the batch.
        batch: Number of scenes.
        stream: Keeps draws for different purposes apart.
        photographs: Whether there are photographs for surfaces to wear.
    """

    def __init__(
        self, seed: int, batch: int, *, stream: int, photographs: bool = False
    ) -> None:
        self.batch = batch
        self.photographs = photographs
        self._generators = [
            torch.Generator().manual_seed(mix(seed, index, stream))
            for index in range(batch)
        ]

    def uniform(
        self, *shape: int, low: float = 0.0, high: float = 1.0
    ) -> Float[Tensor, "batch ..."]:
        """Float64 numbers in [low, high)."""
        unit = [
            torch.rand(shape, generator=generator, dtype=torch.float64)
            for generator in self._generators
        ]
        return low + (high - low) * torch.stack(unit)

    def integer(self, *shape: int, count: int) -> Int[Tensor, "batch ..."]:
        """Integers in [0, count)."""
        return (self.uniform(*shape) * count).long().clamp(max=count - 1)

    def chance(self, *shape: int, probability: float) -> Bool[Tensor, "batch ..."]:
        """True with the given probability."""
        return self.uniform(*shape) < probability

    def choice(self, *shape: int, weights: list[float]) -> Int[Tensor, "batch ..."]:
        """Indices into `weights`, drawn in proportion to them."""
        bounds = torch.tensor(weights, dtype=torch.float64).cumsum(0)
        unit = self.uniform(*shape) * bounds[-1]
        return torch.bucketize(unit, bounds, right=True).clamp(max=len(weights) - 1)

    def direction(self, *shape: int) -> Float[Tensor, "batch ... 3"]:
        """Unit vectors, uniform on the sphere."""
        height = self.uniform(*shape, low=-1.0, high=1.0)
        azimuth = self.uniform(*shape, high=2 * math.pi)
        radius = (1 - height**2).sqrt()
        return torch.stack([radius * azimuth.cos(), radius * azimuth.sin(), height], -1)

    def rotation(self, *shape: int) -> Float[Tensor, "batch ... 3 3"]:
        """Rotations about a uniform axis by a uniform angle."""
        axis = self.direction(*shape)
        angle = self.uniform(*shape, low=-math.pi, high=math.pi)
        return so3_about(axis, angle)
