"""LaCT as a method, with any update rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from nvs.cameras import Camera, PoseNormalisation
from nvs.config import UpdateRule
from nvs.model.checkpoint import Checkpoint, weights_digest
from nvs.scene import PosedViews, Renderer
from nvs.terminal import output
from nvs_eval.methods.base import Built, Images


class LactMethod:
    """Prefill and render, the scene kept in the network's own precision."""

    def __init__(self, renderer: Renderer, *, name: str) -> None:
        self.renderer = renderer
        self.name = name
        self.patch_size = renderer.config.patch_size
        self.device = renderer.device
        self.about: dict[str, Any] = {
            "method": "lact",
            "weights": renderer.model_id,
            "weights_digest": renderer.model_digest,
            "update_rule": renderer.config.update_rule,
            "precision": renderer.precision.name,
        }
        if renderer.compiled is not None:
            self.about["compiled"] = True

    def build(self, views: PosedViews, normalisation: PoseNormalisation) -> Built:
        """Prefill, compiled where that is asked for."""
        camera = views.camera
        self.renderer.wait_compiled(camera.height, camera.width, output.say_nvs)
        scene = self.renderer.prefill(
            views,
            normalisation=normalisation,
            dtype=self.renderer.precision.compute,
        )

        def render(camera: Camera) -> Images:
            for image in self.renderer.render_iter(scene, camera):
                yield image.float().cpu()

        return Built(state_bytes=scene.num_bytes, render=render)


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
