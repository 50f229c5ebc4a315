"""The attention networks as methods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera, PoseNormalisation
from nvs.model.fast_weight import FastWeights
from nvs.model.tokens import posed_rays
from nvs.scene import PosedViews
from nvs.scene.precision import Precision
from nvs_eval.methods.attention_weights import NamedNetwork


class AttentionMethod:
    """Prefill of all views at once, then one view rendered after another."""

    def __init__(
        self, named: NamedNetwork, *, device: torch.device, precision: str | None
    ) -> None:
        self.device = device
        self.precision = Precision.named(precision, device)
        self.network = named.network.to(device).requires_grad_(False)
        self.patch_size = self.network.config.patch_size
        self.name = f"{self.network.kind} ({named.name})"
        self.about = {
            "method": self.network.kind,
            "weights": named.name,
            "weights_digest": named.digest,
            "precision": self.precision.name,
        }

    @torch.no_grad()
    def build(self, views: PosedViews, normalisation: PoseNormalisation) -> BuiltState:
        """Attend among the inputs."""
        posed = self._posed(normalisation.apply(views.camera))
        with self.precision.autocast(self.device):
            state = self.network.prefill(posed, views.image.to(self.device)[None])
        return BuiltState(self, state, normalisation)

    @torch.no_grad()
    def render(
        self, state: tuple[FastWeights, ...], camera: Camera
    ) -> Float[Tensor, "height width 3"]:
        """The image of one camera in the model's frame."""
        with self.precision.autocast(self.device):
            image = self.network.render(state, self._posed(camera))
        return rearrange(image[0, 0], "c h w -> h w c").float().cpu()

    def synchronise(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _posed(self, camera: Camera) -> Float[Tensor, "1 view 9 height width"]:
        return posed_rays(camera.to(self.device, torch.float32))


@dataclass(frozen=True)
class BuiltState:
    """Keys and values with the method that made them."""

    method: AttentionMethod
    state: tuple[FastWeights, ...]
    normalisation: PoseNormalisation

    @property
    def state_bytes(self) -> int:
        """Size of all keys and values."""
        return sum(part.nbytes for memory in self.state for part in memory)

    def render(self, camera: Camera) -> Iterator[Float[Tensor, "height width 3"]]:
        """Attend to the state, one camera at a time."""
        for one in self.normalisation.apply(camera):
            yield self.method.render(self.state, one)
