"""LaCT as a method, with any update rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera, PoseNormalisation
from nvs.config import UpdateRule
from nvs.model.checkpoint import Checkpoint, weights_digest
from nvs.scene import PosedViews, Renderer, Scene


class LactMethod:
    """Prefill and render, the scene kept in the network's own precision."""

    def __init__(self, renderer: Renderer, *, name: str) -> None:
        self.renderer = renderer
        self.name = name
        self.patch_size = renderer.config.patch_size
        self.about = {
            "method": "lact",
            "weights": renderer.model_id,
            "weights_digest": renderer.model_digest,
            "update_rule": renderer.config.update_rule,
            "precision": renderer.precision.name,
        }

    def build(self, views: PosedViews, normalisation: PoseNormalisation) -> BuiltScene:
        """Prefill."""
        scene = self.renderer.prefill(
            views,
            normalisation=normalisation,
            dtype=self.renderer.precision.compute,
        )
        return BuiltScene(self.renderer, scene)

    def synchronise(self) -> None:
        """Wait for the renderer's device."""
        if self.renderer.device.type == "cuda":
            torch.cuda.synchronize(self.renderer.device)


@dataclass(frozen=True)
class BuiltScene:
    """A scene with the renderer that built it."""

    renderer: Renderer
    scene: Scene

    @property
    def state_bytes(self) -> int:
        """Size of the fast weights."""
        return self.scene.num_bytes

    def render(self, camera: Camera) -> Iterator[Float[Tensor, "height width 3"]]:
        """Apply the fast weights."""
        for image in self.renderer.render_iter(self.scene, camera):
            yield image.float().cpu()


def with_update_rule(checkpoint: Checkpoint, rule: UpdateRule) -> Checkpoint:
    """The same weights updated by another rule.

    All input views are one chunk, so momentum has nothing to carry over: it equals
    gradient descent here, and a decay that the weights have none for is never read.
    """
    config = replace(checkpoint.config, update_rule=rule)
    state = {
        name: tensor
        for name, tensor in checkpoint.state.items()
        if ".momentum_decay." not in name
    }
    if rule == "momentum":
        heads = config.num_fast_heads
        for index in range(config.num_blocks):
            decay = f"blocks.{index}.lact.momentum_decay"
            state[f"{decay}.weight"] = torch.zeros(heads, config.dim)
            state[f"{decay}.bias"] = torch.zeros(heads)
            state |= {k: v for k, v in checkpoint.state.items() if k.startswith(decay)}
    digest = weights_digest(config, state)
    return replace(checkpoint, config=config, state=state, digest=digest)
