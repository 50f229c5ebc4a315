"""The processes that train together: which scenes each has, and who shares them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from nvs.parallel.group import Group
from nvs.parallel.meeting import joined
from nvs.scene.precision import bfloat16_gain


@dataclass(frozen=True, kw_only=True, slots=True)
class Processes:
    """This process among those that train together, in rows and columns.

    Those of a row share the views of the same scenes (context parallel), those of a
    column have other scenes (data parallel).
    """

    everyone: Group
    """All of them, which step together."""
    scenes: Group
    """Those to which scenes are dealt: a column."""
    views: Group
    """Those to which the views of a scene are dealt: a row."""
    bfloat16_gain: float = 0.0
    """How many times as fast as in float32 a product is in bfloat16, as the first
    process found it: all must compute alike. 0 has `auto` take float32."""

    @staticmethod
    def alone(device: torch.device, *, bfloat16_gain: float = 0.0) -> Processes:
        """One process."""
        return Processes.of(Group.alone(device), bfloat16_gain=bfloat16_gain)

    @staticmethod
    def of(
        everyone: Group, *, context_parallel: int = 1, bfloat16_gain: float = 0.0
    ) -> Processes:
        """Processes of which some share each scene.

        Raises:
            ConfigError: If they cannot be split into groups of that many.
        """
        scenes, views = everyone.mesh(context_parallel)
        return Processes(
            everyone=everyone, scenes=scenes, views=views, bfloat16_gain=bfloat16_gain
        )

    @property
    def device(self) -> torch.device:
        """What this process trains on."""
        return self.everyone.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.everyone.is_first


@contextmanager
def processes(device: torch.device, context_parallel: int = 1) -> Generator[Processes]:
    """Join the processes that `torchrun` describes in the environment, if there are.

    Args:
        device: What to train on; under `torchrun`, `cuda` is each process's own.
        context_parallel: How many share the views of each scene.

    Raises:
        ConfigError: If they cannot be split into groups of that many, or two of them
            share a CUDA device.
    """
    with joined(device) as everyone:
        everyone.check_devices()
        gain = everyone.of_first(bfloat16_gain(everyone.device).products)
        yield Processes.of(
            everyone, context_parallel=context_parallel, bfloat16_gain=gain
        )
